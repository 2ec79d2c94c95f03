import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Source } from '../../src/bytes/source.ts';
import { CompressError } from '../../src/errors.ts';
import { modelFolder } from '../../src/node/files/folder.ts';
import { readModel } from '../../src/node/model.ts';
import { concat, field, int, modelBytes, tensorBytes, varint } from '../support/wire.ts';

/** Bytes repeated `count` times without taking memory. */
interface Repeated {
  readonly bytes: Uint8Array;
  readonly count: number;
}
type Piece = Uint8Array | Repeated;
const lengthOf = (piece: Piece): number => ('count' in piece ? piece.bytes.length * piece.count : piece.length);

/** A file of pieces that are generated while it is read. */
function sourceOf(pieces: readonly Piece[]): Source {
  const byteLength = pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  const readInto = async (target: Uint8Array, start: number): Promise<void> => {
    let begin = 0;
    for (const piece of pieces) {
      const end = begin + lengthOf(piece);
      const bytes = 'count' in piece ? piece.bytes : piece;
      for (let at = Math.max(begin, start); at < Math.min(end, start + target.length); ) {
        const offset = (at - begin) % bytes.length;
        const part = bytes.subarray(offset, Math.min(bytes.length, offset + start + target.length - at));
        target.set(part, at - start);
        at += part.length;
      }
      begin = end;
    }
  };
  return {
    label: 'm.onnx',
    byteLength,
    readInto,
    async read(start, end) {
      const bytes = new Uint8Array(end - start);
      await readInto(bytes, start);
      return bytes;
    },
    async close() {},
  };
}

/** Nested messages: their field numbers from the outside in, with `inside` in the innermost. */
function nest(numbers: readonly number[], inside: readonly Piece[]): Piece[] {
  const [number, ...rest] = numbers;
  if (number === undefined) return [...inside];
  const pieces = nest(rest, inside);
  const length = pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  return [concat(varint(number * 8 + 2), varint(length)), ...pieces];
}

const repeated = (bytes: Uint8Array, count: number): Repeated => ({
  bytes: concat(...Array(1024).fill(bytes)),
  count: count / 1024,
});
const MIB = 1 << 20;
const empty = (number: number): Uint8Array => Uint8Array.of(number * 8 + 2, 0);

test.each<[string, number[], Piece[], string]>([
  [
    'nodes',
    [7],
    [repeated(empty(1), 2 ** 21 + 1024)],
    'the model has more than 2097152 nodes, attributes, tensors and values',
  ],
  [
    'inputs of a node',
    [7, 1],
    [...nest([5, 7], [repeated(Uint8Array.of(0), 2 ** 26 - 1024)]), repeated(empty(1), 1024)],
    'the model has more than 16777216 fields and numbers',
  ],
  [
    'numbers one by one',
    [7, 1, 5],
    [...nest([7], [repeated(Uint8Array.of(0), 2 ** 26 - 1024)]), repeated(Uint8Array.of(0x40, 1), 1024)],
    'the model has more than 16777216 fields and numbers',
  ],
  [
    'numbers in lists',
    [7, 1, 5],
    [0, 1, 2].flatMap(() => nest([7], [repeated(Uint8Array.of(0), 2 ** 25)])),
    'the model has more than 16777216 fields and numbers',
  ],
  [
    'names',
    [7, 1],
    [repeated(field(1, 'n'.repeat(1000)), 2 ** 19)],
    'the model has names of more than 268435456 bytes',
  ],
  [
    'a name',
    [7, 2],
    [repeated(Uint8Array.of(0x61), MIB + 1024)],
    'a name has 1049600 bytes; at most 1048576 are accepted',
  ],
  [
    'a list of integers',
    [7, 1, 5, 8],
    [repeated(Uint8Array.of(1), 168 * 2 ** 20)],
    'a list has 176160768 bytes; at most 16777216 numbers are accepted',
  ],
  [
    'a list of floats',
    [7, 1, 5, 7],
    [repeated(Uint8Array.of(0), 2 ** 26 + 1024)],
    'a list has 67109888 bytes; at most 16777216 numbers are accepted',
  ],
  ['dimensions of a value', [7, 11, 2, 1, 2], [repeated(empty(1), 1024)], 'a value has more than 64 dimensions'],
])(
  'refuses too many %s',
  async (_, numbers, inside, fact) => {
    const error: unknown = await readModel(sourceOf([int(1, 8), ...nest(numbers, inside)])).catch(
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(CompressError);
    expect((error as CompressError).message).toMatch(/^m\.onnx: byte \d+: /);
    expect((error as CompressError).message.replace(/^m\.onnx: byte \d+: /, '')).toBe(fact);
    expect(error).toMatchObject({ code: 'limit' });
  },
  60_000,
);

test('refuses 65 dimensions that are not packed', async () => {
  const bytes = modelBytes(field(5, tensorBytes('w', 1, Array(65).fill(1), field(9, new Uint8Array(4)))));
  await expect(readModel(bytes)).rejects.toThrow(
    "<bytes>, graph.initializer[0] 'w': has 65 dimensions; at most 64 are accepted",
  );
});

test('refuses a file of 2 GiB', async () => {
  const model = sourceOf([int(1, 8), { bytes: new Uint8Array(MIB), count: 2048 }]);
  await expect(readModel(model)).rejects.toThrow('m.onnx: has 2147483650 bytes; ONNX files are smaller than 2 GiB');
});

test.each<[string, number, (number | bigint)[], Uint8Array, string]>([
  [
    'float16',
    10,
    [2n ** 40n],
    field(5, Uint8Array.of(1, 2, 3)),
    'has at most 3 numbers; float16 [1099511627776] needs 1099511627776',
  ],
  [
    'int64',
    7,
    [2n ** 36n],
    field(7, new Uint8Array(8)),
    'has at most 8 numbers; int64 [68719476736] needs 68719476736',
  ],
  [
    'float32',
    1,
    [2n ** 36n],
    field(4, new Uint8Array(8)),
    'has at most 8 numbers; float32 [68719476736] needs 68719476736',
  ],
])(
  'refuses a typed list of few bytes for a shape that would fill the memory: %s',
  async (_, dtype, dims, list, fact) => {
    const bytes = modelBytes(field(5, tensorBytes('w', dtype, dims, list)));
    await expect(readModel(bytes)).rejects.toThrow(`<bytes>, graph.initializer[0] 'w': ${fact}`);
  },
);

test('refuses an unbounded number of data files', async () => {
  const path = await mkdtemp(join(tmpdir(), 'limits-'));
  const folder = await modelFolder(join(path, 'm.onnx'));
  for (let index = 0; index < 4096; index++) await folder.open(`${index}.bin`, 'w').catch(() => {});
  expect(() => folder.open('last.bin', "m.onnx, graph.initializer[4096] 'w'")).toThrow(
    "m.onnx, graph.initializer[4096] 'w': the model names more than 4096 external data files",
  );
  await folder.close();
  await rm(path, { recursive: true });
});
