import { expect, test } from '@jest/globals';
import { readModel } from '../../../../src/index.node.ts';
import { buildModel, f32, float, i64, type NodeSpec, type TensorSpec, value } from '../../../support/build.ts';
import { normal, quantized } from '../../../support/calibrated.ts';

const [T, D, HEADS] = [16, 32, 4];
const CAUSAL = Float32Array.from({ length: T * T }, (_, at) => (at % T > Math.floor(at / T) ? 1 : 0));

type Linear = 'Gemm' | 'MatMul';

/** A GPT block: layer norm, attention with a causal mask, layer norm, MLP with erf-Gelu, both with a residual. */
function block(linear: Linear, mask: 'add' | 'where', lowest: number): Uint8Array {
  const initializers: Record<string, TensorSpec> = {
    g1: f32(
      [D],
      normal(D, 11, 0.2).map((one) => one + 1),
    ),
    z1: f32([D], normal(D, 12, 0.1)),
    g2: f32(
      [D],
      normal(D, 13, 0.2).map((one) => one + 1),
    ),
    z2: f32([D], normal(D, 14, 0.1)),
    flat: i64([2], [-1, D]),
    wide: i64([2], [-1, 4 * D]),
    back: i64([3], [-1, T, D]),
    heads: i64([4], [-1, T, HEADS, D / HEADS]),
    root: f32([], [Math.sqrt(D / HEADS)]),
    masked: f32(
      [1, 1, T, T],
      CAUSAL.map((one) => one * lowest),
    ),
    allowed: { dtype: 'bool', dims: [1, 1, T, T], data: Uint8Array.from(CAUSAL, (one) => 1 - one) },
    lowest: f32([], [lowest]),
    half: f32([], [0.5]),
    one: f32([], [1]),
    rootTwo: f32([], [Math.SQRT2]),
  };
  const nodes: NodeSpec[] = [];
  const add = (op: string, inputs: string[], out: string, attributes: NodeSpec['attributes'] = {}): string => {
    nodes.push({ op, in: inputs, out: [out], name: out, attributes });
    return out;
  };
  let seed = 20;
  const dense = (x: string, name: string, rows: number, columns: number): string => {
    initializers[`${name}_w`] = f32([rows, columns], normal(rows * columns, seed++, 1.5 / Math.sqrt(rows)));
    initializers[`${name}_b`] = f32([columns], normal(columns, seed++, 0.1));
    if (linear === 'Gemm') return add('Gemm', [x, `${name}_w`, `${name}_b`], name);
    return add('Add', [add('MatMul', [x, `${name}_w`], `${name}_product`), `${name}_b`], name);
  };
  const norm = (x: string, index: number): string =>
    add('LayerNormalization', [x, `g${index}`, `z${index}`], `norm${index}`, { axis: -1, epsilon: float(1e-5) });
  const flat = add('Reshape', [norm('x', 1), 'flat'], 'flat1');
  const head = (name: string, perm: number[]): string =>
    add('Transpose', [add('Reshape', [dense(flat, name, D, D), 'heads'], `${name}_heads`)], `${name}_t`, { perm });
  const q = head('q', [0, 2, 1, 3]);
  const k = head('k', [0, 2, 3, 1]);
  const v = head('v', [0, 2, 1, 3]);
  const scores = add('Div', [add('MatMul', [q, k], 'product'), 'root'], 'scaled');
  const under =
    mask === 'add' ? add('Add', [scores, 'masked'], 'scores') : add('Where', ['allowed', scores, 'lowest'], 'scores');
  const attended = add('MatMul', [add('Softmax', [under], 'shares', { axis: -1 }), v], 'attended');
  const joined = add('Reshape', [add('Transpose', [attended], 'order', { perm: [0, 2, 1, 3] }), 'flat'], 'joined');
  const first = add('Add', ['x', add('Reshape', [dense(joined, 'projected', D, D), 'back'], 'p')], 'first');
  const up = dense(add('Reshape', [norm(first, 2), 'flat'], 'flat2'), 'up', D, 4 * D);
  const erf = add('Add', [add('Erf', [add('Div', [up, 'rootTwo'], 'e0')], 'e1'), 'one'], 'e2');
  const gelu = add('Mul', [add('Mul', [up, erf], 'e3'), 'half'], 'gelu');
  const down = add('Reshape', [dense(gelu, 'down', 4 * D, D), 'back'], 'd');
  add('Add', [first, down], 'y');
  return buildModel({
    opset: 17,
    inputs: { x: value('float32', ['n', T, D]) },
    outputs: { y: value('float32', ['n', T, D]) },
    initializers,
    nodes,
  });
}

const CASES = (['Gemm', 'MatMul'] as const).flatMap((linear) =>
  (['add', 'where'] as const).flatMap((mask) => [-1e9, -3.4e38].map((lowest) => [linear, mask, lowest] as const)),
);

test.each(CASES)(
  'a GPT block of %s with its causal mask by %s of %d keeps its accuracy',
  async (linear, mask, lowest) => {
    const { sqnr, kernels, unfused, bytes, report } = await quantized(block(linear, mask, lowest), { x: [T, D] });
    expect(report?.changes).toHaveLength(6);
    expect(report?.changes.map((one) => one.form)).toContain(
      `int8 per channel, ${linear === 'Gemm' ? 'static' : 'dynamic'}`,
    );
    expect(sqnr).toBeGreaterThan(25);
    expect(unfused).toEqual([]);
    if (linear === 'Gemm') expect(kernels['QGemm']).toBeGreaterThan(0);
    // Neither masked scores nor inputs of Softmax are quantized.
    const model = await readModel(bytes);
    const quantizedValues = model.graph.nodes
      .filter((one) => /QuantizeLinear$/.test(one.opType))
      .map((one) => one.inputs[0]);
    expect(quantizedValues.filter((one) => /^(product|scaled|scores|shares)/.test(one ?? ''))).toEqual([]);
  },
);
