/** Other tasks run while a model of many small weights is pruned or quantized: signals, timers, a server's streams. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import onnxProto from 'onnx-proto';
import { bytesSink, fileSource, prune, quantize, readModel, transform, writeModel } from '../../src/index.node.ts';

const { onnx } = onnxProto;
const folder = mkdtempSync(join(tmpdir(), 'compress-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = join(folder, 'many.onnx');
const rawData = new Uint8Array(Float32Array.from({ length: 2500 }, (_, index) => Math.sin(index)).buffer);
const value = (name: string) => ({
  name,
  type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'b' }, { dimValue: 50 }] } } },
});
const layers = Array.from({ length: 1500 }, (_, layer) => layer);
writeFileSync(
  path,
  onnx.ModelProto.encode(
    onnx.ModelProto.create({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      graph: {
        name: 'many',
        node: layers.map((layer) => ({
          opType: 'MatMul',
          input: [layer === 0 ? 'x' : `h${layer}`, `w${layer}`],
          output: [layer === 1499 ? 'y' : `h${layer + 1}`],
        })),
        initializer: layers.map((layer) => ({ name: `w${layer}`, dims: [50, 50], dataType: 1, rawData })),
        input: [value('x')],
        output: [value('y')],
      },
    }),
  ).finish(),
);

test.each([
  ['prune', () => prune({ method: 'l1', amount: 0.4 })],
  ['prune under one threshold', () => prune({ method: 'l1', amount: 0.4, scope: 'global' })],
  ['quantize', () => quantize()],
])('%s', async (_, pass) => {
  const source = await fileSource(path);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  try {
    const model = await readModel(source);
    const before = turns;
    await transform(model, pass());
    await writeModel(model, bytesSink());
    expect(turns - before).toBeGreaterThan(5);
  } finally {
    clearInterval(timer);
    await source.close();
  }
});
