import { appendFile, copyFile, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { bytesSink } from '../../src/bytes/sink.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import { transform } from '../../src/passes/pass.ts';
import { quantize } from '../../src/passes/quantize/index.ts';

const edge = new URL('../../fixtures/edge/', import.meta.url).pathname;
let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'changed-'));
  path = join(folder, 'm.onnx');
  await copyFile(`${edge}external-data.onnx`, path);
  await copyFile(`${edge}external-data.onnx.data`, join(folder, 'external-data.onnx.data'));
});
afterEach(() => rm(folder, { recursive: true }));

const changes: [what: string, change: () => Promise<void>, message: RegExp][] = [
  ['the model is changed', () => appendFile(path, 'x'), /m\.onnx: was changed while it was being read/],
  [
    'its data is changed',
    () => appendFile(join(folder, 'external-data.onnx.data'), 'x'),
    /external-data\.onnx\.data: was changed while it was being read/,
  ],
  [
    'its data is replaced',
    async () => {
      await copyFile(join(folder, 'external-data.onnx.data'), join(folder, 'other'));
      await rename(join(folder, 'other'), join(folder, 'external-data.onnx.data'));
    },
    /external-data\.onnx\.data: was replaced by another file while it was being read/,
  ],
];

test.each(changes)('%s while it is read: writes nothing', async (_, change, message) => {
  const model = await readModel(path);
  await transform(model, quantize());
  await change();
  const listing = await readdir(folder);
  for (const data of ['embed', 'external'] as const) {
    await expect(writeModel(model, join(folder, 'out.onnx'), { data })).rejects.toThrow(message);
  }
  await expect(writeModel(model, path, { overwrite: true, data: 'embed' })).rejects.toMatchObject({ code: 'io' });
  await expect(writeModel(model, bytesSink())).rejects.toThrow(message);
  expect(await readdir(folder)).toEqual(listing);
  await model.close();
});

test("replacing the model's own files does not count as a change", async () => {
  for (const data of ['external', 'auto', 'embed'] as const) {
    const model = await readModel(path);
    await writeModel(model, path, { overwrite: true, data });
    await model.close();
  }
  const before = await readModel(`${edge}external-data.onnx`);
  const expected = bytesSink();
  await writeModel(before, expected, { data: 'embed' });
  await before.close();
  expect((await readFile(path)).equals(expected.bytes())).toBe(true);
});
