/** Weights in several data files of a bounded size, for readers that load whole files. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { bytesSink } from '../../src/bytes/sink.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import { forkModel } from '../../src/onnx/fork.ts';
import type { DataChunks } from '../../src/onnx/plan.ts';
import { fixturePath } from '../support/digits.ts';
import { expectSame } from '../support/oracle.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chunks-'));
});
afterEach(() => rm(folder, { recursive: true }));

const chunks = (most: number): DataChunks => ({ name: (index) => `m.onnx_data_${index}`, most });

test('splits a model beyond the bound into data files within it, and reads the same back', async () => {
  const model = await readModel(fixturePath('digits-mlp.onnx'));
  const path = join(folder, 'm.onnx');
  const written = await writeModel(model, path, { chunks: chunks(140_000) });
  // 65,536 bytes of fc1, 131,072 of fc2, 5,120 of fc3 and the biases: the second one fills a file.
  expect(written.dataFiles).toEqual([0, 1].map((index) => join(folder, `m.onnx_data_${index}`)));
  for (const file of written.dataFiles) expect((await stat(file)).size).toBeLessThanOrEqual(140_000);
  const again = await readModel(path);
  const sink = bytesSink();
  await writeModel(again, sink, { data: 'embed' });
  await expectSame(sink.bytes(), model);
  await again.close();
  await model.close();
});

test('puts a tensor larger than a file into one of its own', async () => {
  const model = await readModel(fixturePath('digits-mlp.onnx'));
  const written = await writeModel(model, join(folder, 'm.onnx'), { chunks: chunks(70_000) });
  const sizes = await Promise.all(written.dataFiles.map(async (file) => (await stat(file)).size));
  expect(sizes.filter((size) => size > 70_000)).toEqual([131_072]);
  await model.close();
});

test('writes a model within the bound as one file', async () => {
  const model = await readModel(fixturePath('digits-mlp.onnx'));
  const written = await writeModel(model, join(folder, 'm.onnx'), { chunks: chunks(1e6) });
  expect(written.dataFiles).toEqual([]);
  expect(await readdir(folder)).toEqual(['m.onnx']);
  await model.close();
});

test.each(['digits-mlp', 'edge/if-branch-matmul', 'edge/metadata-unknown-fields'])(
  'a fork of %s is written as the model',
  async (name) => {
    const model = await readModel(fixturePath(`${name}.onnx`));
    const [one, other] = [bytesSink(), bytesSink()];
    await writeModel(model, one);
    await writeModel(forkModel(model), other);
    expect(Buffer.compare(one.bytes(), other.bytes())).toBe(0);
    await model.close();
  },
);
