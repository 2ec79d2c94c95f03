import { describe, expect, test } from '@jest/globals';
import {
  CompressError,
  constant,
  createNode,
  Graph,
  Model,
  type QuantizeOptions,
  quantize,
} from '../../../src/index.node.ts';
import { f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { modelOf, pass, weightFloats } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const matrix = (dims: readonly number[], seed = 1): TensorSpec => f32(dims, randomFloats(dims, seed));

/** `body` followed by `head`; the weight `w0` of `body` is tested. */
function layers(w0: TensorSpec, body: Partial<NodeSpec> = {}, rest: Partial<ModelSpec> = {}): ModelSpec {
  return {
    opset: 17,
    inputs: { x: f32() },
    outputs: { y: f32() },
    initializers: { w0, w1: matrix([4, 4], 2) },
    nodes: [
      { op: 'MatMul', in: ['x', 'w0'], out: ['p'], name: 'body', ...body },
      { op: 'MatMul', in: ['p', 'w1'], out: ['y'], name: 'head' },
    ],
    ...rest,
  };
}

async function outcome(spec: ModelSpec, options: QuantizeOptions = {}) {
  const { report } = await pass(spec, quantize({ minElements: 0, ...options }));
  return {
    changed: report.changes.map((one) => one.weight),
    skipped: report.skips.map((one) => `${one.weight}: ${one.reason}`),
    details: report.skips.map((one) => one.detail),
    notes: report.notes,
  };
}

const square44 = matrix([4, 4]);

describe('gives every reason', () => {
  const square = square44;
  const integers: TensorSpec = { dtype: 'int32', dims: [4, 4], data: new Int32Array(16) };
  const nan = f32([4, 4], [Number.NaN, ...randomFloats([15])]);
  const infinite = f32([4, 4], [...randomFloats([15]), Number.NEGATIVE_INFINITY]);
  const cases: [string, ModelSpec, QuantizeOptions, string][] = [
    ['not_float', layers(integers), {}, 'its weight is int32'],
    ['non_finite', layers(nan), {}, 'it contains NaN or infinity'],
    ['non_finite', layers(infinite), { weightsOnly: true }, 'it contains NaN or infinity'],
    ['below_min_elements', layers(matrix([5, 3])), { minElements: 16 }, 'it has 15 elements; the minimum is 16'],
    ['excluded_by_user', layers(square), { exclude: [/body/] }, 'excluded by `opTypes`, `include` or `exclude`'],
    ['excluded_by_user', layers(square), { include: [/^w1$/] }, 'excluded by `opTypes`, `include` or `exclude`'],
    [
      'excluded_by_user',
      layers(square, { op: 'Gemm' }),
      { opTypes: ['MatMul'] },
      'excluded by `opTypes`, `include` or `exclude`',
    ],
    ['unsupported_rank', layers(matrix([4])), {}, 'its weight is [4]; at least two dims are required'],
    ['unsupported_op', layers(matrix([32, 32]), { op: 'Mul' }), {}, 'Mul has no 8-bit form for it'],
  ];
  test.each(cases)('%s %#', async (reason, spec, options, detail) => {
    const { changed, skipped, details } = await outcome(spec, options);
    expect([changed, skipped, details]).toEqual([['w1'], [`w0: ${reason}`], [detail]]);
  });

  test('graph_input', async () => {
    const spec = layers(
      square,
      { op: 'Gemm' },
      { inputs: { x: f32(), w0: f32([4, 4]) }, initializers: { w1: square } },
    );
    expect(await outcome(spec)).toMatchObject({ changed: ['w1'], skipped: ['w0: graph_input'] });
  });

  test('in_function: a function that cannot be inlined', async () => {
    const nodes: NodeSpec[] = [
      { op: 'Constant', in: [], out: ['w0'], attributes: { value: square } },
      { op: 'MatMul', in: ['a', 'w0'], out: ['b'] },
    ];
    const functions = [{ name: 'F', domain: 'own', opset: 11, inputs: ['a'], outputs: ['b'], nodes }];
    const call = { op: 'F', domain: 'own', in: ['x'], out: ['p'] };
    const spec = layers(square, call, { functions, domains: { own: 1 }, initializers: { w1: square } });
    expect(await outcome(spec)).toMatchObject({ changed: ['w1'], details: ['inside a local function'] });
    const { report } = await pass(spec, quantize({ minElements: 0 }));
    const why = 'it uses opset 11, the model 17, and Constant changed in 12';
    expect(report.notes).toEqual([`function 'F' is not inlined: ${why}`]);
  });

  test('a product of two activations is not a skip', async () => {
    const spec = layers(square, { in: ['x', 'x'] }, { initializers: { w1: square } });
    expect(await outcome(spec)).toMatchObject({ changed: ['w1'], skipped: [] });
  });

  test('no float weight is skipped silently', async () => {
    const spec = layers(matrix([4, 2, 3, 3]), { op: 'Conv' });
    expect((await outcome(spec, { weightsOnly: true })).changed).toEqual(['w0', 'w1']);
    expect((await outcome(layers(matrix([3, 7]), { op: 'Add' }))).skipped).toEqual([]);
  });
});

describe('special contents of files', () => {
  /** `y = Gemm(x, w)`, with `w` as an initializer or as a sparse one. */
  function model(sparse: boolean): Model {
    const w = constant('w', 'float32', [4, 4], randomFloats([4, 4]));
    const graph = new Graph({
      nodes: [createNode({ opType: 'Gemm', inputs: ['x', 'w'], outputs: ['y'] })],
      ...(sparse
        ? { sparseInitializers: [{ name: 'w', dtype: 'float32', dims: [4, 4], stored: 3 }] }
        : { initializers: [w] }),
    });
    return new Model({ irVersion: 8, opsets: [{ domain: '', version: 17 }], graph, trainingNames: new Set(['w']) });
  }

  test('used_in_training', async () => {
    const given = model(false);
    const { changes, skips } = await quantize({ minElements: 0 }).run(given);
    expect(changes).toEqual([]);
    expect(skips).toMatchObject([{ reason: 'used_in_training', detail: 'training_info refers to it by name' }]);
    expect([...given.graph.initializers.keys()]).toEqual(['w']);
  });

  test('sparse', async () => {
    const { changes, skips } = await quantize({ minElements: 0 }).run(model(true));
    expect(changes).toEqual([]);
    expect(skips).toMatchObject([{ weight: 'w', reason: 'sparse', detail: 'its weight is stored as a sparse tensor' }]);
  });
});

test.each([
  ['on the left of a value of unknown rank', layers(square44, { in: ['w0', 'x'] })],
  ['on the left of a Gemm', layers(square44, { op: 'Gemm', in: ['w0', 'x'] }, { inputs: { x: f32([4, 4]) } })],
  ['of a Gemm with alpha 0', layers(square44, { op: 'Gemm', attributes: { alpha: { float: 0 } } })],
  ['of a Conv', layers(matrix([4, 4, 1]), { op: 'Conv' })],
])('a weight %s is stored as integers', async (_, spec) => {
  const { report } = await pass(spec, quantize({ minElements: 0 }));
  expect(report.changes[0]).toMatchObject({ weight: 'w0', form: 'int8 per channel, weights only' });
});

describe('opsets', () => {
  /** An unknown operator keeps the model at its opset. */
  const stuck = (opset: number): ModelSpec => {
    const spec = layers(matrix([4, 4]), {}, { opset });
    return {
      ...spec,
      inputs: { x: f32(['n', 4]) },
      nodes: [...spec.nodes, { op: 'Mystery', in: ['y'], out: ['unused'] }],
    };
  };

  test('9 is raised', async () => {
    const { changed, notes } = await outcome(layers(matrix([4, 4]), {}, { opset: 9 }));
    expect([changed, notes.length]).toEqual([['w0', 'w1'], 1]);
    expect(notes[0]).toBe('opset raised from 9 to 13, which 8-bit weights with a scale per channel need');
  });

  test('11 that cannot be raised uses integer operators', async () => {
    const { model, report } = await pass(stuck(11), quantize({ minElements: 0 }));
    expect(model.opset).toBe(11);
    expect(report.changes.map((one) => one.form)).toEqual(Array(2).fill('int8 per channel, dynamic, MatMulInteger'));
    expect(report.notes[0]).toMatch(/^opset stays 11: Mystery/);
    expect(report.notes[1]).toBe('opset 11: written with MatMulInteger instead of QDQ');
  });

  test('11 with weights only, 10 and 9 store integers and compute in float', async () => {
    for (const [opset, options] of [
      [11, { weightsOnly: true }],
      [10, {}],
      [9, {}],
    ] as const) {
      const { report } = await pass(stuck(opset), quantize({ minElements: 0, ...options }));
      expect(report.changes.map((one) => one.form)).toEqual(Array(2).fill('int8 per channel, weights only'));
    }
  });

  test('6 is opset_too_old, and nothing changes', async () => {
    const { changed, skipped, details } = await outcome(stuck(6));
    expect([changed, skipped]).toEqual([[], ['w0: opset_too_old', 'w1: opset_too_old']]);
    expect(details[0]).toBe('opset 6 has no Mul that broadcasts a scale');
  });
});

describe('inputs and names', () => {
  test('the graph input of a quantized weight is removed', async () => {
    const spec = layers(matrix([4, 4]), {}, { inputs: { x: f32(), w0: f32([4, 4]) } });
    const { bytes } = await pass(spec, quantize({ minElements: 0 }));
    const written = await modelOf(bytes);
    expect(written.graph.inputs.map((one) => one.name)).toEqual(['x']);
    expect([...written.graph.initializers.keys()]).toEqual(['w0_quantized', 'w0_scale', 'w1_quantized', 'w1_scale']);
  });

  test('existing names get a number', async () => {
    const spec = layers(matrix([4, 4]));
    const taken = { ...spec.initializers, w0_quantized: f32([1], [7]) };
    const { bytes } = await pass({ ...spec, initializers: taken }, quantize({ minElements: 0 }));
    const written = await modelOf(bytes);
    expect([...(await weightFloats(written, 'w0_quantized'))]).toEqual([7]);
    expect(written.graph.initializers.get('w0_quantized_1')?.dtype).toBe('int8');
  });

  test('refuses invalid options', () => {
    expect(() => quantize({ minElements: -1 })).toThrow(CompressError);
    expect(() => quantize({ minElements: 1.5 })).toThrow('not a whole number');
    expect(() => quantize({ minElements: 0, weightsOnly: true, format: 'qoperator' })).toThrow(
      'qoperator needs integer activations',
    );
    expect(() => quantize({ minElements: 0, opTypes: ['Relu'] })).toThrow("'Relu' is not an operator");
  });
});
