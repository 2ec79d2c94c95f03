import { describe, expect, test } from '@jest/globals';
import { print } from '../../src/index.node.ts';
import type { DType } from '../../src/ir/dtype.ts';
import { HIGHEST_OPSET } from '../../src/options/convert.ts';
import { convert } from '../../src/passes/convert.ts';
import { raiseOpset } from '../../src/passes/opset/index.ts';
import { quantize } from '../../src/passes/quantize/index.ts';
import { LOST_KERNELS, type OpsetRun, RUNTIME_VERSION } from '../../src/targets/lostKernels.ts';
import { bytesOf, expectRefused, feedsFor, modelOf } from '../passes/opset/check.ts';
import { type AttributeSpec, buildModel, f32, i64, type ModelSpec, value } from '../support/build.ts';
import { runModel, sessionOf } from '../support/ort.ts';
import { randomFloats } from '../support/random.ts';

/** A model of one node whose first input has a type. */
interface Form {
  readonly in?: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeSpec>>;
  readonly initializers?: ModelSpec['initializers'];
}

const boxes = f32([1, 4], [0, 0, 3, 3]);
const FORMS: Readonly<Record<string, Form>> = {
  MaxRoiPool: {
    in: ['x', 'r'],
    attributes: { pooled_shape: [2, 2] },
    initializers: { r: f32([1, 5], [0, 0, 0, 3, 3]) },
  },
  Multinomial: {},
  PRelu: { in: ['x', 'x'] },
  RandomNormal: { in: [], attributes: { shape: [1, 2, 4, 4] } },
  RandomUniform: { in: [], attributes: { shape: [1, 2, 4, 4] } },
  RoiAlign: { in: ['x', 'r', 'i'], initializers: { r: boxes, i: i64([1], [0]) } },
};

function specOf(opType: string, dtype: DType, opset: number): ModelSpec {
  const form = FORMS[opType] ?? {};
  const dims = opType === 'Multinomial' ? [1, 8] : [1, 2, 4, 4];
  return {
    opset,
    irVersion: opset >= 21 ? 10 : 8,
    inputs: { x: value(dtype, dims) },
    outputs: { y: value(opType === 'Multinomial' ? 'int32' : dtype) },
    nodes: [{ op: opType, name: 'n', in: form.in ?? ['x'], out: ['y'], attributes: form.attributes ?? {} }],
    initializers: form.initializers ?? {},
  };
}

async function loads(spec: ModelSpec): Promise<boolean> {
  try {
    await (await sessionOf(buildModel(spec))).release();
    return true;
  } catch {
    return false;
  }
}

type Row = readonly [opType: string, dtype: DType, runs: readonly OpsetRun[]];

const ROWS: readonly Row[] = Object.entries(LOST_KERNELS).flatMap(([opType, byType]) =>
  Object.entries(byType).map(([dtype, runs]): Row => [opType, dtype === 'any' ? 'float32' : (dtype as DType), runs]),
);

describe('the table of kernels', () => {
  test('is for the installed ONNX Runtime', async () => {
    const { default: info } = await import('onnxruntime-node/package.json', { with: { type: 'json' } });
    expect(info.version).toBe(RUNTIME_VERSION);
  });

  test.each(ROWS)('%s of %s runs at the listed opsets, and not later', async (opType, dtype, runs) => {
    for (const [first, last] of runs) {
      expect([first, await loads(specOf(opType, dtype, first))]).toEqual([first, true]);
      expect([last, await loads(specOf(opType, dtype, last))]).toEqual([last, true]);
      if (last < HIGHEST_OPSET)
        expect([last + 1, await loads(specOf(opType, dtype, last + 1))]).toEqual([last + 1, false]);
    }
  });

  test('ONNX Runtime loads the highest opset', async () => {
    expect(await loads({ ...specOf('Relu', 'float32', HIGHEST_OPSET), irVersion: 13 })).toBe(true);
    expect(await loads({ ...specOf('Relu', 'float32', HIGHEST_OPSET + 1), irVersion: 13 })).toBe(false);
  });
});

describe('an opset where ONNX Runtime has no kernel', () => {
  const noise: ModelSpec = {
    opset: 15,
    inputs: { x: f32([2, 3]) },
    outputs: { y: f32([2, 3]) },
    nodes: [
      { op: 'RandomNormalLike', name: 'r', in: ['x'], out: ['r'] },
      { op: 'RandomNormalLike', name: 's', in: ['x'], out: ['s'] },
      { op: 'Sum', in: ['x', 'r', 's'], out: ['y'] },
    ],
  };
  const missing = (opset: number): string =>
    `ONNX Runtime ${RUNTIME_VERSION} has no kernel at opset ${opset} for 2 RandomNormalLike`;

  test('is refused with the names and the highest opset that runs, and nothing changes', async () => {
    const bytes = buildModel(noise);
    for (const target of [22, 23, 24, 25, 26]) {
      const model = await modelOf(bytes);
      const before = print(model);
      const result = await raiseOpset(model, target);
      expect(result).toEqual({ raised: false, reason: missing(target), runsUpTo: 21 });
      expect(print(model)).toBe(before);
    }
    await expect(convert({ opset: 22 }).run(await modelOf(bytes))).rejects.toMatchObject({
      code: 'unsupported',
      message: `opset 15 cannot be raised to 22: ${missing(22)}`,
      hint: '`opset: 21` is the highest it can run. `force` writes opset 22 anyway.',
    });
    const model = await modelOf(bytes);
    await convert({ opset: 21 }).run(model);
    await runModel(await bytesOf(model), feedsFor(noise));
  });

  test('is written with a note if forced', async () => {
    const model = await modelOf(buildModel(noise));
    const { notes } = await convert({ opset: 22, force: true }).run(model);
    expect(notes).toContain(missing(22));
    expect(model.opset).toBe(22);
  });

  test('is noted, but not refused if the operator did not run before', async () => {
    const model = await modelOf(buildModel({ ...noise, opset: 22, irVersion: 10 }));
    expect(await raiseOpset(model, 23)).toMatchObject({ raised: true, notes: [missing(23)] });
  });

  test('depends on the element type', async () => {
    const spec = { ...specOf('Elu', 'float64', 18) };
    await expectRefused(spec, 19, `ONNX Runtime ${RUNTIME_VERSION} has no kernel at opset 19 for 1 Elu of float64`, 18);
    const model = await modelOf(buildModel(specOf('Elu', 'float32', 18)));
    expect(await raiseOpset(model, 26)).toMatchObject({ raised: true, notes: [] });
  });

  test('is found in a body', async () => {
    const body = { outputs: { b: f32() }, nodes: [{ op: 'RandomNormalLike', in: ['x'], out: ['b'] }] };
    const spec: ModelSpec = {
      ...noise,
      inputs: { x: f32([2, 3]), c: value('bool', []) },
      nodes: [{ op: 'If', in: ['c'], out: ['y'], attributes: { then_branch: body, else_branch: body } }],
    };
    await expectRefused(spec, 22, missing(22), 21);
  });

  test('is avoided by quantize, which takes a form of the current opset', async () => {
    const dims = [64, 64];
    const spec: ModelSpec = {
      opset: 12,
      inputs: { x: value('float64', [1, 2, 4, 4]), v: f32([2, 64]) },
      outputs: { y: value('float64'), z: f32() },
      nodes: [
        { op: 'MeanVarianceNormalization', in: ['h'], out: ['n'] },
        { op: 'MatMul', in: ['v', 'w'], out: ['z'] },
        { op: 'Cast', in: ['x'], out: ['h'], attributes: { to: 10 } },
        { op: 'Cast', in: ['n'], out: ['y'], attributes: { to: 11 } },
      ],
      initializers: { w: f32(dims, randomFloats(dims, 1)) },
    };
    const model = await modelOf(buildModel(spec));
    const { notes, changes } = await quantize({ minElements: 0 }).run(model);
    expect(notes[0]).toBe(
      `opset stays 12: ONNX Runtime ${RUNTIME_VERSION} has no kernel at opset 13 for 1 MeanVarianceNormalization of float16`,
    );
    expect(changes).toHaveLength(1);
  });
});
