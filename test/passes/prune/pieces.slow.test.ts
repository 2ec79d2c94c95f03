import { expect, test } from '@jest/globals';
import { prune } from '../../../src/index.node.ts';
import { piecewise } from '../../../src/ir/tensor.ts';
import { zeroInGroups } from '../../../src/kernels/groups.ts';
import { channelLayout } from '../../../src/kernels/layout.ts';
import { f32, type ModelSpec } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';

const PATTERN = { keep: 2, group: 4 };

/** Unordered numbers, quickly generated. */
function scattered(dims: readonly number[]): Float32Array {
  const data = new Float32Array(dims.reduce((all, size) => all * size, 1));
  for (let at = 0; at < data.length; at++) data[at] = Math.imul(at, 2_654_435_761);
  return data;
}

/** `x → op → y` with a weight of more than a piece. */
const one = (op: string, dims: readonly number[], attributes = {}): ModelSpec => ({
  ...{ opset: 17, inputs: { x: f32() }, outputs: { y: f32() } },
  nodes: [{ op, in: ['x', 'w'], out: ['y'], attributes }],
  initializers: { w: f32(dims, scattered(dims)) },
});

test.each([
  ['rows of a matrix, the last group of which is short', one('MatMul', [1030, 2201]), 0, 1030],
  ['columns of a matrix', one('Gemm', [2201, 1030], { transB: 1 }), 1, 1030],
  ['channels of an image', one('Conv', [1700, 90, 3, 5]), 1, 90],
])('N:M in pieces, along %s, equals that of the whole weight', async (_, spec, axis, run) => {
  const model = await modelOf(spec);
  const held = model.graph.initializers.get('w');
  if (held === undefined) throw new RangeError('no weight');
  const { name, dtype, dims } = held;
  const bytes = await held.load();
  const expected = new Float32Array(Uint8Array.from(bytes).buffer);
  zeroInGroups(expected.slice(), channelLayout(dims, axis), run, PATTERN, (index) => {
    expected[index] = 0;
  });
  const all = async function* (): AsyncGenerator<Uint8Array, void, void> {
    yield bytes;
  };
  const load = (): Promise<Uint8Array> => Promise.reject(new RangeError('the weight is loaded'));
  model.graph.setInitializer({ ...piecewise(name, dtype, dims, all), load });
  const report = await prune({ method: 'l1', nm: PATTERN }).run(model);
  const pruned = await model.graph.initializers.get('w')?.load();
  expect(Buffer.compare(pruned ?? new Uint8Array(0), new Uint8Array(expected.buffer))).toBe(0);
  expect(report.changes).toHaveLength(1);
});
