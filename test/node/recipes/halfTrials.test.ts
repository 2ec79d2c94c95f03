import { expect, test } from '@jest/globals';
import { type DataSet, float16, type Model, readModel } from '../../../src/index.node.ts';
import { settleHalves } from '../../../src/node/recipes/halfTrials.ts';
import type { Pass } from '../../../src/passes/pass.ts';
import { buildModel, f32 } from '../../support/build.ts';
import { randomFloats } from '../../support/random.ts';

/** `y = (x · w1) · w2`; w1 has 3 % of the weights, and as much noise as w2. */
const source = buildModel({
  opset: 17,
  inputs: { x: f32([4, 16]) },
  outputs: { y: f32([4, 512]) },
  initializers: { w1: f32([16, 16], randomFloats([16, 16], 1)), w2: f32([16, 512], randomFloats([16, 512], 2)) },
  nodes: [
    { op: 'MatMul', in: ['x', 'w1'], out: ['m'], name: 'first' },
    { op: 'MatMul', in: ['m', 'w2'], out: ['y'], name: 'second' },
  ],
});

const data: DataSet = {
  description: 'rows',
  async *samples() {
    yield { label: 'rows 0-3', feeds: { x: { dtype: 'float32', dims: [4, 16], data: randomFloats([4, 16], 3) } } };
  },
};

const rounding = (exclude: readonly RegExp[]): Pass => float16({ dtype: 'bfloat16', minElements: 1, exclude });

const computing = (exclude: readonly RegExp[]): Pass => float16({ compute: 'float16', exclude });

async function settled(
  bar?: number,
  pass = rounding,
): Promise<Awaited<ReturnType<typeof settleHalves>> & { model: Model }> {
  const model = await readModel(source);
  return { model, ...(await settleHalves(model, data, { pass, computes: pass === computing, bar })) };
}

test('the smallest weights stay float32 where that reaches the bar, and what was measured is told', async () => {
  const { notes, exclude } = await settled();
  const [, kept = ''] = /^the outputs keep ([\d.]+) dB of the calibration data$/.exec(notes[0] ?? '') ?? [];
  expect([notes.length, exclude]).toEqual([1, []]);
  expect(Number(kept)).toBeGreaterThan(40);

  expect(await settled(Number(kept) - 1)).toMatchObject({ notes, exclude: [] });

  const more = await settled(Number(kept) + 1);
  expect(more.exclude).toEqual([/^w1$/u]);
  const [, reached] =
    /^1 more weight stays float32, for ([\d.]+) dB instead of ([\d.]+)$/.exec(more.notes[0] ?? '') ?? [];
  expect(Number(reached)).toBeGreaterThan(Number(kept) + 1);
  expect([...more.model.graph.initializers.values()].map((one) => one.dtype)).toEqual(['float32', 'float32']);

  const none = await settled(200);
  const fact = `the outputs keep ${kept} dB of the calibration data, less than 200, and at most ${reached} with up to 20 %`;
  expect(none).toMatchObject({ exclude: [], notes: [`${fact} of the weights float32`] });
});

test('the first nodes stay float32 where the model computes in float16', async () => {
  const { notes } = await settled(undefined, computing);
  const [, kept = ''] = /keep ([\d.]+) dB/.exec(notes[0] ?? '') ?? [];
  const { exclude, notes: told } = await settled(Number(kept) + 1, computing);
  expect(exclude).toEqual([/^first$/u]);
  const [, reached] = /^the first node stays float32, for ([\d.]+) dB instead of/.exec(told[0] ?? '') ?? [];
  expect(Number(reached)).toBeGreaterThan(Number(kept) + 1);
});

test('a model that the CPU cannot run is not measured', async () => {
  const breaking = (): Pass => ({
    name: 'breaking',
    run(model) {
      const [node] = model.graph.nodes;
      if (node !== undefined) model.graph.replaceNode(node, { ...node, domain: 'unknown' });
      return Promise.resolve({ pass: 'breaking', changes: [], skips: [], notes: [] });
    },
  });
  const { notes, exclude } = await settled(60, breaking);
  expect(exclude).toEqual([]);
  expect(notes).toEqual([expect.stringMatching(/^what the outputs keep is not measured, as the model does not run/)]);
});
