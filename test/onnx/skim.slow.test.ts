import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bytesSource, type Source } from '../../src/bytes/source.ts';
import { print } from '../../src/ir/print.ts';
import { fileSource } from '../../src/node/files/source.ts';
import { readModel } from '../../src/node/model.ts';
import { concat, field, int, modelBytes, tensorBytes, varint } from '../support/wire.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skim-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A source that counts reads. */
function counting(source: Source): Source & { read(start: number, end: number): Promise<Uint8Array>; bytes(): number } {
  let bytes = 0;
  return {
    ...source,
    read(start, end) {
      bytes += end - start;
      return source.read(start, end);
    },
    bytes: () => bytes,
  };
}

/** Writes a model whose float32 weights are holes in a sparse file, so that it takes no disk space. */
async function sparseModel(path: string, weights: number, elements: number): Promise<void> {
  const head = (index: number): Uint8Array => tensorBytes(`w${index}`, 1, [elements]);
  const length = (payload: Uint8Array, more: number): Uint8Array => varint(payload.length + more);
  const raw = concat(varint(9 * 8 + 2), varint(elements * 4));
  const pieces: { bytes: Uint8Array; hole: number }[] = [];
  let graph = 0;
  for (let index = 0; index < weights; index++) {
    const node = field(
      1,
      field(1, index === 0 ? 'x' : `h${index - 1}`),
      field(1, `w${index}`),
      field(2, `h${index}`),
      field(4, 'MatMul'),
    );
    const tensor = concat(head(index), raw);
    const bytes = concat(node, varint(5 * 8 + 2), length(tensor, elements * 4), tensor);
    pieces.push({ bytes, hole: elements * 4 });
    graph += bytes.length + elements * 4;
  }
  const start = concat(int(1, 8), field(8, int(2, 17)), varint(7 * 8 + 2), varint(graph));
  const file = await open(path, 'w');
  await file.write(start);
  let at = start.length;
  for (const { bytes, hole } of pieces) {
    await file.write(bytes, 0, bytes.length, at);
    at += bytes.length + hole;
  }
  await file.truncate(at);
  await file.close();
}

test.each([
  [16, 64 << 20],
  [10_000, 100_000],
])('opening %i weights of %i bytes reads under 1 %% of the file', async (weights, bytes) => {
  const path = join(folder, `${weights}.onnx`);
  await sparseModel(path, weights, bytes / 4);
  const source = counting(await fileSource(path));
  const model = await readModel(source);
  expect(model.graph.initializers.size).toBe(weights);
  expect(model.graph.nodes.length).toBe(weights);
  expect(source.bytes()).toBeLessThan(source.byteLength / 100);
  await model.close();
});

test('loading a weight takes one read', async () => {
  const path = join(folder, 'one.onnx');
  await sparseModel(path, 2, 1 << 20);
  const source = counting(await fileSource(path));
  const model = await readModel(source);
  const before = source.bytes();
  await model.graph.initializers.get('w1')?.load();
  expect(source.bytes() - before).toBe(4 << 20);
  await model.close();
});

describe('the window', () => {
  /** A model with one of every kind of field after `pad` bytes of padding. */
  const padded = (pad: number, raw: number): Uint8Array =>
    modelBytes(
      field(10, new Uint8Array(pad).fill(0x2e)),
      field(
        1,
        field(1, 'first'),
        field(2, 'second'),
        field(4, 'Cast'),
        field(5, field(1, 'to'), int(3, -7n), int(20, 2)),
      ),
      field(5, tensorBytes('weight', 1, [raw / 4], field(9, new Uint8Array(raw).fill(1)))),
      field(
        11,
        field(1, 'first'),
        field(2, field(1, int(1, 1), field(2, field(1, field(2, 'batch')), field(1, int(1, 12345))))),
      ),
      field(13, field(1, 'long name '.repeat(90))),
    );
  const expected = async (pad: number, raw: number): Promise<string> => {
    const model = await readModel(padded(pad, raw));
    return `${print(model)}${model.graph.valueInfo[0]?.name}`;
  };

  test.each([
    ['512 bytes', 512, 8],
    ['512 bytes after a jump', 512, 4096],
    ['64 KiB', 1 << 16, 8],
    ['128 KiB', 1 << 17, 8],
  ])('gives the same wherever its edge is: %s', async (_, edge, raw) => {
    const want = await expected(0, raw);
    for (let pad = edge - 260; pad < edge + 8; pad++) expect(await expected(Math.max(0, pad), raw)).toBe(want);
  });

  test('gives the same with a slow source', async () => {
    const bytes = padded(700, 2000);
    const inner = bytesSource(bytes);
    const slow: Source = {
      ...inner,
      read: (start, end) => new Promise((done) => setImmediate(() => done(inner.read(start, end)))),
    };
    expect(print(await readModel(slow))).toBe(print(await readModel(bytes)));
  });
});
