/** The WebAssembly kernels give the same as the reference for whole tensors, bit for bit. */
import { describe, expect, test } from '@jest/globals';
import { magnitudeReference, reference } from '../../src/kernels/choose.ts';
import * as fast from '../../src/kernels/fast.ts';
import * as fastMagnitude from '../../src/kernels/fastMagnitude.ts';
import { channelLayout } from '../../src/kernels/layout.ts';
import { linearParams } from '../../src/kernels/linear.ts';
import { type Magnitudes, selectThreshold } from '../../src/kernels/magnitude.ts';
import { hasSimd } from '../../src/kernels/simd/load.ts';
import { randomFloats } from '../support/random.ts';

/** Shapes with chunks that end inside rows, rows longer than a chunk, one row, one column, and no remainder. */
const SHAPES: readonly (readonly [dims: readonly number[], axis: number | undefined])[] = [
  [[1100, 513], 1],
  [[2, 525_000], 1],
  [[1100, 513], 0],
  [[2, 525_000], 0],
  [[600_001], undefined],
  [[1, 9], 1],
  [[9, 1], 1],
  [[64, 32, 5, 5], 0],
  [[64, 128, 7, 7], 1],
  [[1, 2, 524_291], 1],
];

/** Generated once, because that takes longer than everything else here. */
const base = randomFloats([1_050_000]);
const floats = (count: number): Float32Array => base.slice(0, count);

const same = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

const elements = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

describe.each(SHAPES)('[%p] along %p', (dims, axis) => {
  const layout = channelLayout(dims, axis);
  const data = floats(elements(dims));
  data[data.length - 1] = 3.5;

  test('gives the same ranges', () => {
    const [a, b] = [reference.rangeOf(data, layout), fast.rangeOf(data, layout)];
    expect(a !== undefined && b !== undefined && same(a.min, b.min) && same(a.max, b.max)).toBe(true);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('detects %p in the last element', (value) => {
    const bad = data.slice();
    bad[bad.length - 1] = value;
    expect(fast.rangeOf(bad, layout)).toBeUndefined();
  });

  test.each(['symmetric', 'asymmetric'] as const)('gives the same integers, %s', (scheme) => {
    const range = reference.rangeOf(data, layout);
    if (range === undefined) throw new Error('the data is finite');
    const params = linearParams(range, scheme, scheme === 'symmetric' ? 127 : 255);
    expect(same(reference.quantizeLinear(data, layout, params), fast.quantizeLinear(data, layout, params))).toBe(true);
  });
});

test.each([0, undefined])('gives the same transposed integers, scales along %p', (axis) => {
  for (const [rows, columns] of [
    [1100, 513],
    [2, 525_000],
    [300_001, 2],
  ] as const) {
    const data = floats(rows * columns);
    const range = reference.rangeOf(data, channelLayout([rows, columns], axis));
    if (range === undefined) throw new Error('the data is finite');
    const params = linearParams(range, 'asymmetric', 255);
    const expected = reference.quantizeTransposed(data, rows, columns, params);
    expect(same(fast.quantizeTransposed(data, rows, columns, params), expected)).toBe(true);
  }
});

describe('magnitudes', () => {
  // Rounded to 1/8, so that there are many ties and many zeros, of both signs.
  const data = floats(600_011).map((value) => Math.round(value * 8) / 8);
  const held = (): Magnitudes => ({ words: new Uint16Array(data.slice().buffer), width: 2 });

  test('give the same zeros, and detect NaN', () => {
    expect(fastMagnitude.countSpecial(held())).toEqual(magnitudeReference.countSpecial(held()));
    const bad = held();
    bad.words.set([0x0001, 0x7f80], bad.words.length - 2);
    expect(fastMagnitude.countSpecial(bad).nans).toBe(1);
  });

  test.each([1, 1000, 240_004, 1_200_022])('give the same threshold and zeros for %p elements', async (count) => {
    async function* twice(): AsyncGenerator<Magnitudes> {
      yield held();
      yield held();
    }
    const expected = await selectThreshold(twice, 2, count, magnitudeReference.addDigits);
    const threshold = await selectThreshold(twice, 2, count, fastMagnitude.addDigits);
    expect(threshold).toEqual(expected);
    for (let turn = 0; turn < 2; turn++) {
      const [a, b] = [held(), held()];
      expect(fastMagnitude.zeroInPlace(b, threshold)).toBe(magnitudeReference.zeroInPlace(a, expected));
      expect(threshold.ties).toBe(expected.ties);
      expect(same(a.words, b.words)).toBe(true);
    }
  });
});

test('this machine has SIMD, so the tests above compared two implementations', () => {
  expect(hasSimd()).toBe(true);
});
