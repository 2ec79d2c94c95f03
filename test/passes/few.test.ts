import { describe, expect, test } from '@jest/globals';
import { openActivations, openData, readModel, removeChannels, sparsegpt, wanda } from '../../src/index.node.ts';
import type { DataSet, Sample } from '../../src/node/data/types.ts';
import { fewVectors, someVectors } from '../../src/passes/few.ts';
import { f32, type ModelSpec } from '../support/build.ts';
import { fixture } from '../support/cli.ts';
import { givenActivations, rowsOf } from '../support/importance.ts';
import { pass } from '../support/model.ts';
import { randomFloats } from '../support/random.ts';

describe('a warning', () => {
  const layer = (weight: string, vectors: number, inputs: number) => ({ weight, vectors, inputs });

  test('names the layer with the fewest vectors, and counts the others', () => {
    expect(fewVectors([layer('a', 64, 64), layer('b', 9, 8)], 'More.')).toBeUndefined();
    expect(fewVectors([layer('a', 1, 2)], 'More.')).toBe(
      "warning: 'a' received 1 data vector, fewer than its 2 inputs, so the statistics are unreliable. More.",
    );
    expect(fewVectors([layer('a', 8, 64), layer('b', 8, 172), layer('c', 8, 8)], 'More.')).toBe(
      "warning: 'b' received 8 data vectors, fewer than its 172 inputs, and 1 more of 3 layers received too few, so the statistics are unreliable. More.",
    );
  });

  test('is replaced by a note if only a share of the data was needed', () => {
    expect(someVectors([layer('a', 8, 8), { ...layer('b', 9, 3), of: 9 }])).toBeUndefined();
    expect(someVectors([{ ...layer('a', 8, 4), of: 16 }, { ...layer('b', 8, 4), of: 32 }, layer('c', 1, 1)])).toBe(
      "only part of the data was needed for 2 of 3 layers: 8 of 32 vectors for 'b'",
    );
  });
});

const [INPUTS, OUTPUTS] = [12, 6];
const spec: ModelSpec = {
  opset: 17,
  inputs: { x: f32(['n', INPUTS]) },
  outputs: { y: f32() },
  initializers: { w: f32([INPUTS, OUTPUTS], randomFloats([INPUTS, OUTPUTS], 1)) },
  nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
};

describe.each([
  ['Wanda', wanda],
  ['SparseGPT', sparsegpt],
])('%s', (_, method) => {
  const notes = async (count: number, parallel = false): Promise<readonly string[]> => {
    const x = rowsOf(randomFloats([count, INPUTS], 2), INPUTS);
    return (await pass(spec, method({ amount: 0.4, parallel }, givenActivations({ x })))).report.notes;
  };

  test('warns if there were fewer vectors than inputs, and says what may help', async () => {
    expect(await notes(INPUTS)).toEqual([]);
    const [note, more] = await notes(INPUTS - 1);
    expect(note).toMatch(/^warning: 'w' received 11 data vectors, fewer than its 12 inputs, .* `l1`, .* `parallel` /);
    expect(more).toBeUndefined();
    expect((await notes(1, true))[0]).toMatch(/^warning: 'w' received 1 data vector, (?!.*parallel-layers)/);
  });

  test('reports the sampled share of large images for a Conv', async () => {
    const conv: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 2, 160, 160]) },
      outputs: { y: f32() },
      initializers: { w: f32([4, 2, 3, 3], randomFloats([4, 2, 3, 3], 1)) },
      nodes: [{ op: 'Conv', in: ['x', 'w'], out: ['y'] }],
    };
    const data: DataSet = {
      description: 'an image',
      async *samples(): AsyncIterable<Sample> {
        const dims = [1, 2, 160, 160];
        yield { label: 'it', feeds: { x: { dtype: 'float32', dims, data: randomFloats(dims, 3) } } };
      },
    };
    const activations = openActivations(data);
    const { report } = await pass(conv, method({ amount: 0.4 }, activations));
    await activations.close();
    expect(report.notes).toEqual([
      "only part of the data was needed for 1 of 1 layers: 16384 of 24964 vectors for 'w'",
    ]);
  });
});

test.each([
  [{ samples: 32 }, true],
  [{}, false],
])('prune --channels --reconstruct warns in the same way: %j', async (size, warned) => {
  const model = await readModel(fixture('digits-mlp.onnx'));
  const data = await openData(fixture('digits-mlp-calib.npz'), model.graph.inputs, size);
  const source = openActivations(data);
  const report = await removeChannels({ amount: 0.3, source, reconstruct: true }).run(model);
  await source.close();
  const warnings = report.notes.filter((one) => one.startsWith('warning:'));
  expect(warnings).toEqual(
    warned
      ? [expect.stringMatching(/^warning: '.*' received 32 data vectors, fewer than its 256 inputs, and 1 more/)]
      : [],
  );
  await model.close();
});

test('correcting biases alone gives no warning, because means need few vectors', async () => {
  const model = await readModel(fixture('digits-mlp.onnx'));
  const data = await openData(fixture('digits-mlp-calib.npz'), model.graph.inputs, { samples: 32 });
  const source = openActivations(data);
  const report = await removeChannels({ amount: 0.3, source }).run(model);
  await source.close();
  expect(report.notes.filter((one) => one.startsWith('warning:'))).toEqual([]);
  await model.close();
});
