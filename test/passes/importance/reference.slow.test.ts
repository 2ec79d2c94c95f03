import { describe, expect, test } from '@jest/globals';
import { sparsegpt, wanda } from '../../../src/index.node.ts';
import { f32, type ModelSpec, type TensorSpec } from '../../support/build.ts';
import { givenActivations, naiveSparseGpt, naiveWanda, type Rows, rowsOf } from '../../support/importance.ts';
import { pass, weightFloats } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

/** One Gemm, `y = x Wᵀ`, whose weight `[rows, columns]` is a matrix as the papers have it. */
function layer(weight: TensorSpec): ModelSpec {
  return {
    opset: 17,
    inputs: { x: f32(['n', weight.dims[1] as number]) },
    outputs: { y: f32() },
    initializers: { w: weight },
    nodes: [{ op: 'Gemm', in: ['x', 'w'], out: ['y'], name: 'layer', attributes: { transB: 1 } }],
  };
}

/** Samples with correlated inputs, so that there is something to compensate. */
function samplesOf(columns: number, count: number, seed: number): number[][] {
  const rows = rowsOf(randomFloats([count, columns], seed), columns);
  return rows.map((row) => row.map((value, c) => value * (1 + (c % 3)) + 0.7 * (row[(c + 1) % columns] as number)));
}

async function expectSame(spec: ModelSpec, expected: Rows, make: () => ReturnType<typeof wanda>): Promise<number> {
  const { report, model } = await pass(spec, make());
  const found = rowsOf(await weightFloats(model, 'w'), expected[0]?.length ?? 0);
  // The file has float32: masks must be equal, values as close as that allows.
  expect(found.map((row) => row.map((value) => value === 0))).toEqual(
    expected.map((row) => row.map((value) => value === 0)),
  );
  found.forEach((row, index) => {
    row.forEach((value, column) => {
      expect(value).toBeCloseTo(expected[index]?.[column] as number, 5);
    });
  });
  const zeros = found.flat().filter((value) => value === 0).length;
  expect(report.changes[0]?.zeros).toBe(zeros);
  return zeros;
}

const SHAPES = [
  [1, 3],
  [5, 8],
  [16, 24],
  [7, 33],
  [12, 130],
] as const;

describe.each(SHAPES)('a layer [%i, %i]', (rows, columns) => {
  const weight = f32([rows, columns], randomFloats([rows, columns], rows + columns));
  const w = rowsOf(weight.data as Float32Array, columns);
  const x = samplesOf(columns, 2 * columns + 3, columns);
  const activations = () => givenActivations({ x });

  test.each([0.25, 0.5, 0.7])('Wanda prunes %d of each row as in the paper', async (amount) => {
    const expected = naiveWanda(w, x, amount);
    await expectSame(layer(weight), expected, () => wanda({ amount }, activations()));
  });

  test.each([0.25, 0.5, 0.7])('SparseGPT at %d, one block or several', async (amount) => {
    for (const block of [1, 4, 10, 32, 128, 1000]) {
      const zeros = await expectSame(layer(weight), naiveSparseGpt(w, x, amount, { block }), () =>
        sparsegpt({ amount, blockSize: block }, activations()),
      );
      expect(Math.abs(zeros - amount * rows * columns)).toBeLessThanOrEqual(0.5);
    }
  });

  test.each([0, 0.001, 0.1, 1])('SparseGPT with %d of damping', async (damping) => {
    await expectSame(layer(weight), naiveSparseGpt(w, x, 0.5, { damping }), () =>
      sparsegpt({ amount: 0.5, damping }, activations()),
    );
  });

  test.each([
    [1, 2],
    [2, 4],
    [1, 4],
    [3, 4],
    [4, 8],
  ] as const)('%i of %i stay', async (keep, of) => {
    const pattern = { keep, of };
    const amount = 1 - keep / of;
    if (columns < of) {
      for (const method of [wanda({ amount, pattern }, activations()), sparsegpt({ amount, pattern }, activations())]) {
        const { report, model } = await pass(layer(weight), method);
        expect(report.skips).toMatchObject([{ weight: 'w', reason: 'group_exceeds_size' }]);
        expect(await weightFloats(model, 'w')).toEqual(weight.data);
      }
      return;
    }
    await expectSame(layer(weight), naiveWanda(w, x, amount, [keep, of]), () =>
      wanda({ amount, pattern }, activations()),
    );
    for (const block of [8, 128]) {
      await expectSame(layer(weight), naiveSparseGpt(w, x, amount, { pattern: [keep, of], block }), () =>
        sparsegpt({ amount, pattern, blockSize: block }, activations()),
      );
    }
  });
});

describe('inputs that are always zero', () => {
  const weight = f32([4, 10], randomFloats([4, 10], 8));
  const w = rowsOf(weight.data as Float32Array, 10);
  const x = samplesOf(10, 30, 8).map((row) => row.map((value, c) => (c === 2 || c === 9 ? 0 : value)));

  test('Wanda prunes their weights first, and SparseGPT all of them', async () => {
    await expectSame(layer(weight), naiveWanda(w, x, 0.2), () => wanda({ amount: 0.2 }, givenActivations({ x })));
    const expected = naiveSparseGpt(w, x, 0.5);
    expect(expected.every((row) => row[2] === 0 && row[9] === 0)).toBe(true);
    await expectSame(layer(weight), expected, () => sparsegpt({ amount: 0.5 }, givenActivations({ x })));
  });

  test('if all inputs are zero, SparseGPT zeroes the weight without an error', async () => {
    const { report } = await pass(
      layer(weight),
      sparsegpt({ amount: 0.5 }, givenActivations({ x: [Array(10).fill(0)] })),
    );
    expect(report.changes[0]?.zeros).toBe(40);
  });
});

test('for identical inputs without damping, SparseGPT reports that there is no inverse', async () => {
  const weight = f32([2, 3], randomFloats([2, 3], 1));
  const x = [
    [1, 1, 1],
    [2, 2, 2],
  ];
  const { report, model } = await pass(layer(weight), sparsegpt({ amount: 0.4, damping: 0 }, givenActivations({ x })));
  expect(report.changes).toEqual([]);
  expect(report.skips[0]).toMatchObject({ weight: 'w', reason: 'no_importance' });
  expect(report.skips[0]?.detail).toBe(
    'its activations are linearly dependent, and a damping of 0 gives no inverse; a larger one would',
  );
  expect(await weightFloats(model, 'w')).toEqual(weight.data);
});

test.each([
  ['wanda', wanda],
  // Blocks with fewer columns than the layer.
  ['sparsegpt', (...[options, ask]: Parameters<typeof wanda>) => sparsegpt({ ...options, blockSize: 16 }, ask)],
] as const)('%s a second time changes nothing', async (_, method) => {
  const weight = f32([9, 40], randomFloats([9, 40], 3));
  const x = samplesOf(40, 90, 3);
  for (const options of [{ amount: 0.6 }, { amount: 0.5, pattern: { keep: 2, of: 4 } }]) {
    const once = await pass(layer(weight), method(options, givenActivations({ x })));
    const twice = await pass(once.bytes, method(options, givenActivations({ x })));
    expect(twice.bytes).toEqual(once.bytes);
    expect(twice.report.changes[0]?.zeros).toBe(once.report.changes[0]?.zeros);
  }
});

test('existing zeros count, and SparseGPT keeps them', async () => {
  const data = randomFloats([6, 20], 5).map((value, index) => (index % 3 === 0 ? 0 : value));
  const weight = f32([6, 20], data);
  const x = samplesOf(20, 60, 5);
  const { report, model } = await pass(
    layer(weight),
    sparsegpt({ amount: 0.5, blockSize: 5 }, givenActivations({ x })),
  );
  const found = await weightFloats(model, 'w');
  expect(report.changes[0]?.zeros).toBe(60);
  data.forEach((value, index) => {
    if (value === 0) expect(found[index]).toBe(0);
  });
});

test.each([
  [{ amount: 0 }, /amount: 0 is not a fraction between 0 and 1/],
  [{ amount: 1 }, /amount: 1 is not a fraction/],
  [{ amount: Number.NaN }, /amount: NaN is not a fraction/],
  [{ amount: 0.5, pattern: { keep: 4, of: 4 } }, /pattern: 4:4 is not a valid pattern/],
  [{ amount: 0.5, pattern: { keep: 0.5, of: 4 } }, /pattern: 0.5:4 is not a valid pattern/],
  [{ amount: 0.6, pattern: { keep: 2, of: 4 } }, /amount: is 0.6, and 2:4 prunes 0.5/],
  [{ amount: 0.5, damping: -1 }, /damping: -1 is not a number from 0 to 1/],
  [{ amount: 0.5, blockSize: 0 }, /blockSize: it must be at least 1/],
  [{ amount: 0.5, pattern: { keep: 4, of: 8 }, blockSize: 4 }, /blockSize: 4 is less than a group of 8/],
  [{ amount: 0.5, opTypes: ['Gather'] }, /'Gather' is not an operator/],
])('%j is refused', (options, message) => {
  expect(() => sparsegpt(options, givenActivations({}))).toThrow(message);
});
