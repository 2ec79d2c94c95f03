/** Awkward graphs: pruned models run in ONNX Runtime, and every other weight is reported. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  type DataSet,
  type FeedTensor,
  openActivations,
  prune,
  readModel,
  type Sample,
  sparsegpt,
  type ValueInfo,
  wanda,
} from '../../../src/index.node.ts';
import { randomData } from '../../../src/node/data/random.ts';
import { openSession } from '../../../src/node/runtime/session.ts';
import { fixturePath } from '../../support/digits.ts';
import { toHalf } from '../../support/half.ts';
import { bytesOf } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const FOLDERS = ['awkward', 'edge'];
const FILES = FOLDERS.flatMap((folder) =>
  readdirSync(fixturePath(folder))
    .filter((one) => one.endsWith('.onnx'))
    .map((one) => join(folder, one)),
);

/** Random inputs, those of type float16 too. */
function dataFor(inputs: readonly ValueInfo[]): DataSet {
  const halves = inputs.filter((one) => one.dtype === 'float16');
  const others = randomData(
    inputs.filter((one) => one.dtype !== 'float16'),
    { seed: 1, samples: 4 },
  );
  return {
    description: 'random inputs',
    async *samples(): AsyncGenerator<Sample> {
      for await (const sample of others.samples()) {
        const more = halves.map(({ name, dims = [] }, index): [string, FeedTensor] => {
          const shape = dims.map((dim) => (typeof dim === 'number' ? dim : 2));
          return [
            name,
            { dtype: 'float16', dims: shape, data: Uint16Array.from(randomFloats(shape, index + 1), toHalf) },
          ];
        });
        yield { ...sample, feeds: { ...sample.feeds, ...Object.fromEntries(more) } };
      }
    },
  };
}

test.each(FILES)('%s', async (file) => {
  const path = fixturePath(file);
  const plain = await readModel(path);
  const magnitude = await prune({ method: 'l1', amount: 0.5 }).run(plain);
  await plain.close();
  for (const method of [wanda, sparsegpt]) {
    const model = await readModel(path);
    const inputs = model.graph.inputs.filter((one) => !model.graph.initializers.has(one.name));
    const data = dataFor(inputs);
    const activations = openActivations(data);
    const report = await method({ amount: 0.5 }, activations).run(model);
    await activations.close();
    const skipped = new Set(report.skips.map((one) => one.weight));
    for (const { weight } of report.changes) expect(skipped.has(weight)).toBe(false);
    // Every weight that magnitude pruning would prune is pruned or reported.
    expect(report.changes.length + report.skips.length).toBeGreaterThanOrEqual(magnitude.changes.length);
    for (const { zeros = 0, elements } of report.changes) expect(zeros / elements).toBeGreaterThan(0.4);
    const session = await openSession(await bytesOf(model));
    for await (const { feeds } of data.samples()) {
      for (const { dtype, data: values } of Object.values(await session.run(feeds))) {
        if (dtype === 'float32') expect((values as Float32Array).every(Number.isFinite)).toBe(true);
      }
      break;
    }
    await session.release();
    await model.close();
  }
});
