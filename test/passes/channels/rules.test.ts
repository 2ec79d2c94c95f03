import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { type ChannelOptions, type ChannelReport, removeChannels } from '../../../src/index.node.ts';
import {
  type AttributeSpec,
  buildModel,
  f32,
  float,
  type GraphSpec,
  i64,
  type ModelSpec,
  type NodeSpec,
  value,
} from '../../support/build.ts';
import { answering, inputOf, removal } from '../../support/channels.ts';
import { modelOf, pass, weightFloats } from '../../support/model.ts';
import { randomFloats, seeded } from '../../support/random.ts';

const node = (
  op: string,
  inputs: readonly string[],
  out: string,
  attributes: Readonly<Record<string, AttributeSpec>> = {},
): NodeSpec => ({
  ...{ op, in: inputs, out: [out], name: `${op}_${out}`, attributes },
});
const weight = (dims: readonly number[], seed: number) => f32(dims, randomFloats(dims, seed));

/** A model from `x [N, …]` to `y`. */
function model(
  x: readonly (number | string)[],
  nodes: readonly NodeSpec[],
  initializers: NonNullable<ModelSpec['initializers']>,
  more: Partial<ModelSpec> = {},
): ModelSpec {
  const inputs = { x: f32(['N', ...x]) };
  return { opset: 17, inputs, outputs: { y: f32() }, nodes, initializers, ...more };
}

async function remove(spec: ModelSpec | Uint8Array, options: Partial<ChannelOptions> = {}): Promise<ChannelReport> {
  return removeChannels({ amount: 0.5, roundTo: 1, ...options }).run(await modelOf(spec));
}

/** The new dims of each changed weight. */
const left = (report: ChannelReport): Record<string, string> =>
  Object.fromEntries(report.changes.map((one) => [one.weight, one.form?.replace('now ', '') ?? '']));

/** Attention over four heads of three features, with projections split by `cut`. */
function attention(
  cut: { nodes: readonly NodeSpec[]; ints: NonNullable<GraphSpec['initializers']> },
  more: Partial<ModelSpec> = {},
): ModelSpec {
  const nodes = [
    node('MatMul', ['x', 'qkv'], 'p'),
    node('Add', ['p', 'bias'], 'all'),
    ...cut.nodes,
    node('Transpose', ['k'], 'kt', { perm: [0, 1, 3, 2] }),
    node('MatMul', ['q', 'kt'], 'scores'),
    node('Mul', ['scores', 'scale'], 'scaled'),
    node('Softmax', ['scaled'], 'weights', { axis: -1 }),
    node('MatMul', ['weights', 'v'], 'mixed'),
    node('Transpose', ['mixed'], 'turned', { perm: [0, 2, 1, 3] }),
    node('Reshape', ['turned', 'back'], 'flat'),
    node('MatMul', ['flat', 'out'], 'y'),
  ];
  const own = {
    qkv: weight([5, 36], 1),
    bias: weight([36], 2),
    out: weight([12, 5], 3),
    scale: f32([], [0.5]),
    back: i64([3], [0, 0, 12]),
  };
  return model([7, 5], nodes, { ...own, ...cut.ints }, more);
}

const HEADS = { qkv: '5×18', bias: '18', out: '6×5' };

describe('attention loses whole heads', () => {
  const feeds = { x: inputOf([2, 7, 5], seeded(3)) };

  test('if it is split into three first, as the dynamo exporter writes it', async () => {
    const cut = ['q', 'k', 'v'].flatMap((one, index) => [
      node('Reshape', [`s${index}`, 'four'], `h${index}`),
      node('Transpose', [`h${index}`], one, { perm: [0, 2, 1, 3] }),
    ]);
    const split: NodeSpec = { op: 'Split', in: ['all'], out: ['s0', 's1', 's2'], attributes: { axis: 2 } };
    const spec = attention({ nodes: [split, ...cut], ints: { four: i64([4], [0, 0, 4, 3]) } }, { opset: 13 });
    expect(left(await remove(spec))).toEqual(HEADS);
    expect((await removal(buildModel(spec), { amount: 0.5, roundTo: 1 }, feeds)).sqnr).toBeGreaterThan(100);
  });

  test('if it is reshaped to [3, heads, size] and gathered, as in timm', async () => {
    const nodes = [
      node('Reshape', ['all', 'five'], 'cut'),
      node('Transpose', ['cut'], 'apart', { perm: [2, 0, 3, 1, 4] }),
      ...['q', 'k', 'v'].map((one, index) => node('Gather', ['apart', `at${index}`], one, { axis: 0 })),
    ];
    const ints = { five: i64([5], [0, 7, 3, 4, 3]), at0: i64([], [0]), at1: i64([], [1]), at2: i64([], [2]) };
    const spec = attention({ nodes, ints });
    expect(left(await remove(spec))).toEqual(HEADS);
    expect((await removal(buildModel(spec), { amount: 0.5, roundTo: 1 }, feeds)).sqnr).toBeGreaterThan(100);
  });

  test('if the shape is computed from the input, as PyTorch traces it', async () => {
    const nodes = [
      node('Shape', ['all'], 'shape'),
      node('Gather', ['shape', 'zero'], 'rows', { axis: 0 }),
      node('Unsqueeze', ['rows', 'axis'], 'row', {}),
      node('Concat', ['row', 'rest'], 'five', { axis: 0 }),
      node('Reshape', ['all', 'five'], 'cut'),
      node('Transpose', ['cut'], 'apart', { perm: [2, 0, 3, 1, 4] }),
      { op: 'Split', in: ['apart'], out: ['q1', 'k1', 'v1'], attributes: { axis: 0 } },
      ...['q', 'k', 'v'].map((one) => node('Squeeze', [`${one}1`, 'axis'], one)),
    ];
    const ints = { zero: i64([], [0]), axis: i64([1], [0]), rest: i64([4], [7, 3, 4, 3]) };
    const spec = attention({ nodes, ints });
    expect(left(await remove(spec))).toEqual(HEADS);
    expect((await removal(buildModel(spec), { amount: 0.5, roundTo: 1 }, feeds)).sqnr).toBeGreaterThan(100);
  });

  test('and keeps a multiple of features, not of heads', async () => {
    const cut = ['q', 'k', 'v'].flatMap((one, index) => [
      node('Reshape', [`s${index}`, 'four'], `h${index}`),
      node('Transpose', [`h${index}`], one, { perm: [0, 2, 1, 3] }),
    ]);
    const split: NodeSpec = { op: 'Split', in: ['all'], out: ['s0', 's1', 's2'], attributes: { axis: 2 } };
    const spec = attention({ nodes: [split, ...cut], ints: { four: i64([4], [0, 0, 4, 3]) } });
    expect(left(await remove(spec, { amount: 0.7, roundTo: 9 }))).toEqual({ qkv: '5×27', bias: '27', out: '9×5' });
  });
});

/** Two layers around the tested nodes: `x [N, 4] → 8 features → 3`. */
const between = (
  inner: readonly NodeSpec[],
  more: NonNullable<GraphSpec['initializers']> = {},
  last = 'h',
): ModelSpec =>
  model([4], [node('MatMul', ['x', 'a'], 'h0'), ...inner, node('MatMul', [last, 'b'], 'y')], {
    a: weight([4, 8], 1),
    b: weight([8, 3], 2),
    ...more,
  });

describe('other operators', () => {
  test('an embedding table loses columns', async () => {
    const nodes = [node('Gather', ['table', 'x'], 'e'), node('Relu', ['e'], 'r'), node('MatMul', ['r', 'w'], 'y')];
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: i64(['N']) },
      outputs: { y: f32() },
      nodes,
      initializers: { table: weight([9, 8], 1), w: weight([8, 3], 2) },
    };
    expect(left(await remove(spec))).toEqual({ table: '9×4', w: '4×3' });
    const feeds = { x: new Tensor('int64', BigInt64Array.of(1n, 8n), [2]) };
    expect((await removal(buildModel(spec), { amount: 0.5, roundTo: 1 }, feeds)).sqnr).toBeGreaterThan(100);
  });

  test('positions counted at run time do not hide what is added to them', async () => {
    const nodes = [
      ...[
        node('Shape', ['x'], 's'),
        node('Gather', ['s', 'one'], 'count'),
        node('Range', ['zero', 'count', 'one'], 'p'),
      ],
      ...[node('Gather', ['places', 'p'], 'e'), node('Add', ['x', 'e'], 'at')],
      ...[node('MatMul', ['at', 'a'], 'h'), node('Relu', ['h'], 'r'), node('MatMul', ['r', 'b'], 'y')],
    ];
    const initializers = { places: weight([9, 4], 1), a: weight([4, 8], 2), b: weight([8, 3], 3) };
    const spec = model(['S', 4], nodes, { ...initializers, zero: i64([], [0]), one: i64([], [1]) });
    expect(left(await remove(spec))).toEqual({ a: '4×4', b: '4×3' });
    const feeds = { x: inputOf([2, 5, 4], seeded(4)) };
    expect((await removal(buildModel(spec), { amount: 0.5, roundTo: 1 }, feeds)).sqnr).toBeGreaterThan(100);
  });

  test('positions whose number is the number of channels keep the channels', async () => {
    const nodes = [
      ...[node('Shape', ['h0'], 's'), node('Gather', ['s', 'one'], 'count')],
      ...[
        node('Range', ['zero', 'count', 'one'], 'p'),
        node('Gather', ['table', 'p'], 'e'),
        node('Add', ['h0', 'e'], 'h'),
      ],
    ];
    const initializers = { table: weight([8], 3), zero: i64([], [0]), one: i64([], [1]) };
    const spec = model([4], [node('MatMul', ['x', 'a'], 'h0'), ...nodes, node('MatMul', ['h', 'b'], 'y')], {
      ...{ a: weight([4, 8], 1), b: weight([8, 3], 2) },
      ...initializers,
    });
    expect((await remove(spec)).changes).toEqual([]);
  });

  test('an LSTM loses inputs, but not states', async () => {
    const nodes = [
      node('MatMul', ['x', 'a'], 'h'),
      { op: 'LSTM', in: ['h', 'w', 'r'], out: ['all'], attributes: { hidden_size: 2 } },
      node('Squeeze', ['all', 'one'], 'flat'),
      node('MatMul', ['flat', 'b'], 'y'),
    ];
    const initializers = {
      a: weight([4, 6], 1),
      w: weight([1, 8, 6], 2),
      r: weight([1, 8, 2], 3),
      b: weight([2, 3], 4),
      one: i64([1], [1]),
    };
    const spec = model([1, 4], nodes, initializers);
    const report = await remove(spec);
    expect(left(report)).toEqual({ a: '4×3', w: '1×8×3' });
    const old = await pass(spec, removeChannels({ amount: 0.5, roundTo: 1 }));
    expect(old.bytes.length).toBeLessThan(buildModel(spec).length);
    const feeds = { x: inputOf([3, 1, 4], seeded(5)) };
    expect((await removal(buildModel(spec), { amount: 0.5, roundTo: 1 }, feeds)).sqnr).toBeGreaterThan(100);
    // 4·6 + 8·6 + 8·2 + 2·3 before, and half of the first two after.
    expect(report.notes).toContain('multiply-adds per row: 94 → 58 (−38.3 %)');
    const source = answering(() => undefined);
    const fitted = await remove(spec, { source, reconstruct: true });
    expect(fitted.notes).toContain('1 layer lost inputs but could not be refitted');
  });

  test('Expand and Resize get new constant sizes, and computed sizes follow', async () => {
    for (const computed of [false, true]) {
      const shape = computed ? [node('Shape', ['c'], 'to')] : [];
      const sized = computed ? [node('Shape', ['e'], 'size')] : [];
      const nodes = [
        node('Conv', ['x', 'w'], 'c'),
        ...shape,
        node('Expand', ['c', computed ? 'to' : 'shape'], 'e'),
        ...sized,
        node('Resize', ['e', '', '', computed ? 'size' : 'sizes'], 'r', { mode: 'nearest' }),
        node('Conv', ['r', 'v'], 'y'),
      ];
      const ints = { shape: i64([4], [2, 8, 5, 5]), sizes: i64([4], [2, 8, 10, 5]) };
      const initializers = { w: weight([8, 3, 1, 1], 1), v: weight([2, 8, 1, 1], 2), ...(computed ? {} : ints) };
      const spec: ModelSpec = {
        opset: 17,
        inputs: { x: f32([2, 3, 5, 5]) },
        outputs: { y: f32() },
        nodes,
        initializers,
      };
      expect(left(await remove(spec))).toEqual({ w: '4×3×1×1', v: '2×4×1×1' });
      const found = await removal(
        buildModel(spec),
        { amount: 0.5, roundTo: 1 },
        { x: inputOf([2, 3, 5, 5], seeded(4)) },
      );
      expect(found.sqnr).toBeGreaterThan(100);
    }
  });

  test('LayerNormalization keeps its features unless removal is allowed', async () => {
    const spec = between([node('LayerNormalization', ['h0', 's', 't'], 'h', { axis: -1 })], {
      s: weight([8], 3),
      t: weight([8], 4),
    });
    const kept = await remove(spec);
    expect(kept.changes).toEqual([]);
    expect(kept.skips[0]).toMatchObject({ weight: 'a', reason: 'pinned_channels' });
    expect(kept.skips[0]?.detail).toBe(
      "its channels stay: LayerNormalization 'LayerNormalization_h' computes their mean and variance, which would change",
    );
    const gone = await remove(spec, { normalized: true });
    expect(left(gone)).toEqual({ a: '4×4', b: '4×3', s: '4', t: '4' });
  });

  test('a weight after Transpose and Identity, and one that two nodes share, lose the same channels everywhere', async () => {
    const nodes = [
      node('Transpose', ['at'], 'a1'),
      node('Identity', ['a1'], 'a'),
      node('MatMul', ['x', 'a'], 'p'),
      node('MatMul', ['x2', 'a'], 'q'),
      node('Add', ['p', 'q'], 'h'),
      node('MatMul', ['h', 'b'], 'y'),
    ];
    const spec = model([4], [node('Relu', ['x'], 'x2'), ...nodes], { at: weight([8, 4], 1), b: weight([8, 3], 2) });
    expect(left(await remove(spec))).toEqual({ at: '4×4', b: '4×3' });
    const found = await removal(buildModel(spec), { amount: 0.5, roundTo: 1 }, { x: inputOf([2, 4], seeded(5)) });
    expect(found.sqnr).toBeGreaterThan(100);
  });

  test('float16 weights lose bytes of their own size', async () => {
    const half = (dims: readonly number[]) => ({
      dtype: 'float16' as const,
      dims,
      data: Uint16Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => 0x3000 + i * 7),
    });
    const nodes = [node('MatMul', ['x', 'a'], 'h'), node('MatMul', ['h', 'b'], 'y')];
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: value('float16', ['N', 4]) },
      outputs: { y: value('float16') },
      nodes,
      initializers: { a: half([4, 8]), b: half([8, 3]) },
    };
    const { report, bytes } = await pass(spec, removeChannels({ amount: 0.5, roundTo: 1 }));
    expect(report.changes.map((one) => one.after)).toEqual([32, 24]);
    expect(bytes.length).toBeLessThan(buildModel(spec).length);
  });

  test('stated shapes of inner values are updated, or removed if they were wrong', async () => {
    const spec = {
      ...between([node('Relu', ['h0'], 'h')]),
      valueInfo: { h0: f32(['N', 8]), h: f32([8]), x2: f32([8]) },
    };
    const { model: after } = await pass(spec, removeChannels({ amount: 0.5, roundTo: 1 }));
    expect(after.graph.valueInfo.map((one) => [one.name, one.dims])).toEqual([
      ['h0', ['N', 4]],
      ['x2', [8]],
    ]);
  });
});

describe('keeps channels, with a reason', () => {
  const reasons = async (spec: ModelSpec, options: Partial<ChannelOptions> = {}): Promise<string[]> => {
    const report = await remove(spec, options);
    expect(report.changes).toEqual([]);
    return report.skips.map((one) => `${one.weight} ${one.reason}: ${one.detail.replace('its channels stay: ', '')}`);
  };

  test('if removal cannot be proven right', async () => {
    const cases: [ModelSpec, string][] = [
      [between([node('Relu', ['h0'], 'h')]), ''],
      [between([node('Softmax', ['h0'], 'h')]), "pinned_channels: Softmax 'Softmax_h' sums over them"],
      [
        between([node('TopK', ['h0', 'k'], 'h')], { k: i64([1], [8]) }),
        "pinned_channels: TopK 'TopK_h' selects them by index",
      ],
      [
        between([node('Gelu', ['h0'], 'h')].map((one) => ({ ...one, domain: 'com.microsoft' }))),
        "pinned_channels: Gelu 'Gelu_h' is an operator with no rule for channels",
      ],
      [
        between([node('Reshape', ['h0', 's'], 'r'), node('Reshape', ['r', 't'], 'h')], {
          s: i64([2], [-1, 8]),
          t: i64([2], [-1, 8]),
        }),
        '',
      ],
      [
        between([node('Pad', ['h0', 'p'], 'h1'), node('Slice', ['h1', 'i', 'j', 'k'], 'h')], {
          p: i64([4], [0, 1, 0, 0]),
          i: i64([1], [0]),
          j: i64([1], [8]),
          k: i64([1], [1]),
        }),
        "pinned_channels: Pad 'Pad_h1' pads them",
      ],
      [
        between(
          [
            ...[node('Shape', ['x'], 's'), node('Gather', ['s', 'zero'], 'rows')],
            node('Concat', ['rows', 'eight'], 'ends', { axis: 0 }),
            node('Slice', ['h0', 'starts', 'ends'], 'h'),
          ],
          { zero: i64([1], [0]), eight: i64([1], [8]), starts: i64([2], [0, 0]) },
        ),
        "pinned_channels: Slice 'Slice_h' slices them at computed positions",
      ],
      [
        between([node('CumSum', ['h0', 'k'], 'h')], { k: i64([], [1]) }),
        "pinned_channels: CumSum 'CumSum_h' accumulates them in order",
      ],
      [
        between([node('Add', ['h0', 'x2'], 'h')]),
        "pinned_channels: Add 'Add_h' combines them with a value of unknown shape",
      ],
    ];
    for (const [spec, expected] of cases) {
      if (expected === '') expect((await remove(spec)).changes.length).toBe(2);
      else {
        const inputs = { ...spec.inputs, ...(expected.includes('Add_h') ? { x2: f32() } : {}) };
        expect((await reasons({ ...spec, inputs }))[0]).toBe(`a ${expected}`);
      }
    }
  });

  test('excluded by the user, fewer than the amount, or fed by a caller', async () => {
    const spec = between([node('Relu', ['h0'], 'h')]);
    const excluded = "'a' is excluded by `exclude`";
    expect(await reasons(spec, { exclude: [/^a$/] })).toEqual([
      `a excluded_by_user: ${excluded}`,
      "b fixed_channels: they are the channels of the graph output 'y'",
    ]);
    const included = 'excluded by `opTypes` or `include`';
    expect((await reasons(spec, { include: [/^b$/] }))[0]).toBe(`a excluded_by_user: ${included}`);
    expect((await reasons(spec, { opTypes: ['Conv'] }))[0]).toBe(`a excluded_by_user: ${included}`);
    expect((await reasons(spec, { roundTo: 8 }))[0]).toBe(
      'a too_few_channels: all 8 channels stay at this amount and rounding',
    );
    const fed = { ...spec, inputs: { ...spec.inputs, a: f32([4, 8]) } };
    expect((await reasons(fed))[0]).toBe("a graph_input: 'a' is a graph input that a caller may override");
  });

  test('before a Squeeze without axes, which would remove the last channel', async () => {
    const squeezed = (axes: readonly string[]): ModelSpec => ({
      opset: 17,
      inputs: { x: f32([2, 4]) },
      outputs: { y: f32() },
      nodes: [
        node('MatMul', ['x', 'a'], 'h'),
        node('Unsqueeze', ['h', 'one'], 'u'),
        node('Squeeze', ['u', ...axes], 's'),
        node('MatMul', ['s', 'b'], 'y'),
      ],
      initializers: { a: weight([4, 2], 1), b: weight([2, 3], 2), one: i64([1], [1]) },
    });
    const found = await reasons(squeezed([]));
    expect(found[0]).toBe("a pinned_channels: Squeeze 'Squeeze_s' removes every dim of 1, which they could become");
    const stated = squeezed(['one']);
    expect(left(await remove(stated))).toEqual({ a: '4×1', b: '1×3' });
    const run = await removal(buildModel(stated), { amount: 0.5, roundTo: 1 }, { x: inputOf([2, 4], seeded(6)) });
    expect(run.sqnr).toBeGreaterThan(100);
  });

  test('up to IR 3 every weight is an input, which changes with it', async () => {
    const spec = between([node('Relu', ['h0'], 'h')]);
    const old = { ...spec, irVersion: 3, opset: 8, inputs: { ...spec.inputs, a: f32([4, 8]), b: f32([8, 3]) } };
    const { model: after, report } = await pass(old, removeChannels({ amount: 0.5, roundTo: 1 }));
    expect(report.changes.length).toBe(2);
    const dims = after.graph.inputs.map((one) => [one.name, one.dims?.join()]);
    expect(dims).toEqual([
      ['x', 'N,4'],
      ['a', '4,4'],
      ['b', '4,3'],
    ]);
  });

  test('a bias that a caller may feed absorbs no mean', async () => {
    const spec = between([node('Relu', ['h0'], 'h')], { c: weight([3], 5) });
    const gemm = [...spec.nodes.slice(0, -1), node('Gemm', ['h', 'b', 'c'], 'y')];
    const source = answering((size) => ({ count: 1, mean: new Float64Array(size).fill(1), gram: undefined }));
    const biasAfter = async (inputs: ModelSpec['inputs']): Promise<Float32Array> => {
      const one = await modelOf({ ...spec, nodes: gemm, inputs: { ...spec.inputs, ...inputs } });
      await removeChannels({ amount: 0.5, roundTo: 1, source }).run(one);
      return weightFloats(one, 'c');
    };
    expect(await biasAfter({})).not.toEqual(weight([3], 5).data);
    expect(await biasAfter({ c: f32([3]) })).toEqual(weight([3], 5).data);
  });

  test('outer products of a layer with too many inputs are not requested', async () => {
    const wide = model([4], [node('MatMul', ['x', 'a'], 'h'), node('MatMul', ['h', 'b'], 'y')], {
      a: weight([4, 4104], 1),
      b: weight([4104, 2], 2),
    });
    const sizes: number[] = [];
    const source = answering((size) => {
      sizes.push(size);
      return undefined;
    });
    const fitted = await remove(wide, { source, reconstruct: true });
    expect([sizes, left(fitted)]).toEqual([[], { a: '4×2052', b: '2052×2' }]);
    expect(fitted.notes).toContain('1 layer lost inputs but could not be refitted');
  });

  test('of a layer with NaN among its weights', async () => {
    const spec = between([node('Relu', ['h0'], 'h')], {
      b: f32(
        [8, 3],
        Array.from({ length: 24 }, (_, i) => (i === 5 ? Number.NaN : 1)),
      ),
    });
    expect((await reasons(spec))[0]).toBe('a non_finite: its weights contain NaN or infinity');
  });

  test('of integers before a DequantizeLinear', async () => {
    const dequantize = node('DequantizeLinear', ['b8', 'scale'], 'b');
    const { a } = between([]).initializers as Record<string, ReturnType<typeof weight>>;
    const b8 = { dtype: 'int8' as const, dims: [8, 3], data: new Int8Array(24).fill(3) };
    const nodes = [dequantize, node('MatMul', ['x', 'a'], 'h'), node('MatMul', ['h', 'b'], 'y')];
    const spec = model([4], nodes, { a: a as ReturnType<typeof weight>, b8, scale: f32([], [0.1]) });
    const found = await reasons(spec);
    expect(found).toContain("a already_quantized: DequantizeLinear 'DequantizeLinear_b' stores them as integers");
  });

  test('of integers before Cast and Mul, and of computed weights', async () => {
    const whole = (name: string, axis: string): NodeSpec[] => [
      ...[node('Cast', [`${name}8`], `${name}c`, { to: 1 }), node('Mul', [`${name}c`, axis], name)],
    ];
    const tail = [node('MatMul', ['x', 'a'], 'h'), node('MatMul', ['h', 'b'], 'y')];
    const i8 = (dims: readonly number[]) => ({ dtype: 'int8' as const, dims, data: new Int8Array(32).fill(3) });
    const scales = { s: weight([8], 1), t: weight([8, 1], 2) };
    const stored = model([4], [...whole('a', 's'), ...whole('b', 't'), ...tail], {
      ...{ a8: i8([4, 8]), b8: i8([8, 4]) },
      ...scales,
    });
    expect((await remove(stored)).groups.map((one) => one.stays)).toContain('their weights are stored as integers');
    const weights = { w: weight([4, 8], 3), v: weight([8, 4], 4) };
    const unknown = model([4], [node('Softsign', ['w'], 'a'), node('Softsign', ['v'], 'b'), ...tail], weights);
    expect((await remove(unknown)).groups.map((one) => one.stays)).toContain(
      'one of their weights is computed from others',
    );
    const scaled = [node('Mul', ['w', 's'], 'a'), node('Mul', ['v', 't'], 'b'), ...tail];
    const known = await remove(model([4], scaled, { ...weights, ...scales }));
    expect(known.changes.map((one) => one.weight)).toEqual(['a', 'b']);
  });

  test('of a weight that a branch of an If also reads', async () => {
    const branch = (op: string): GraphSpec => ({ outputs: { o: f32() }, nodes: [node(op, ['a'], 'o')] });
    const nodes = [
      node('MatMul', ['x', 'a'], 'h'),
      node('MatMul', ['h', 'b'], 'y'),
      node('If', ['c'], 'z', { then_branch: branch('Relu'), else_branch: branch('Neg') }),
    ];
    const spec = model([4], nodes, { a: weight([4, 8], 1), b: weight([8, 3], 2) }, { outputs: { y: f32(), z: f32() } });
    const found = await reasons({ ...spec, inputs: { ...spec.inputs, c: value('bool', []) } });
    expect(found[0]).toBe("a pinned_channels: If 'If_z' reads them in its subgraph");
  });
});

test('the global scope removes the least important channels of all layers, and keeps at least one in each', async () => {
  const small = f32(
    [8, 8],
    randomFloats([8, 8], 2).map((one) => one * (Math.abs(one) < 0.5 ? 0.01 : 1)),
  );
  const nodes = [node('MatMul', ['x', 'a'], 'h'), node('MatMul', ['h', 'm'], 'i'), node('MatMul', ['i', 'b'], 'y')];
  const spec = model([4], nodes, { a: weight([4, 8], 1), m: small, b: weight([8, 3], 3) });
  const report = await remove(spec, { amount: 0.9, scope: 'global' });
  const sizes = report.groups.filter((one) => one.stays === undefined).map((one) => one.after);
  expect(sizes.reduce((a, b) => a + b, 0)).toBe(2);
  expect(sizes).toEqual([1, 1]);
});

test('refuses invalid options', () => {
  expect(() => removeChannels({ amount: 0 })).toThrow('amount: 0 is not a fraction between 0 and 1');
  expect(() => removeChannels({ amount: 1 })).toThrow('amount: 1 is not a fraction');
  expect(() => removeChannels({ amount: 0.3, roundTo: 0.5 })).toThrow('roundTo: 0.5 is not a whole number');
  expect(() => removeChannels({ amount: 0.3, norm: 'wanda' })).toThrow('norm: activations are needed');
  expect(() => removeChannels({ amount: 0.3, reconstruct: true })).toThrow('reconstruct: activations are needed');
  expect(() => removeChannels({ amount: 0.3, opTypes: ['Relu'] })).toThrow("'Relu' is not an operator");
});

test('a second run removes the same share of the rest, also in float attributes', async () => {
  const spec = between([node('LeakyRelu', ['h0'], 'h', { alpha: float(0.1) })]);
  const found = await modelOf(spec);
  const passOf = removeChannels({ amount: 0.5, roundTo: 1 });
  expect(left(await passOf.run(found))).toEqual({ a: '4×4', b: '4×3' });
  expect(left(await passOf.run(found))).toEqual({ a: '4×2', b: '2×3' });
  expect(left(await passOf.run(found))).toEqual({ a: '4×1', b: '1×3' });
  expect((await passOf.run(found)).changes).toEqual([]);
});
