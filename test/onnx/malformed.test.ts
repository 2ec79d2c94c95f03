import { readdir } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { CompressError } from '../../src/errors.ts';
import { readModel } from '../../src/node/model.ts';
import { npzOf } from '../support/npz.ts';
import { concat, field, group, int, modelBytes, tensorBytes, varint } from '../support/wire.ts';

const malformed = new URL('../../fixtures/malformed/', import.meta.url).pathname;

async function errorOf(input: string | Uint8Array): Promise<CompressError> {
  const error: unknown = await readModel(input).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(CompressError);
  return error as CompressError;
}

describe('fixtures', () => {
  const messages: Record<string, string> = {
    'external-parent-escape.onnx':
      ", graph.initializer[0] 'W': external data \"../../etc/passwd\" would leave the model's folder ('..')",
    'git-lfs-pointer.onnx': ': is a git-lfs pointer, not the model it points to',
    'length-prefix-huge.onnx': ': byte 2: field 7 needs 1099511627776 bytes; 2 are left',
    'raw-data-short.onnx': ", graph.initializer[0] 'W': raw_data has 12284 bytes; float32 [48, 64] needs 12288",
    'truncated-half.onnx': ': byte 19: field 7 needs 203979 bytes; 101980 are left',
  };

  test.each(Object.entries(messages))('%s', async (name, message) => {
    expect((await errorOf(malformed + name)).message).toBe(`${malformed}${name}${message}`);
  });

  test('all have a message in this test', async () => {
    expect((await readdir(malformed)).filter((name) => name.endsWith('.onnx')).sort()).toEqual(
      Object.keys(messages).sort(),
    );
  });
});

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test.each([
  ['nothing', new Uint8Array(), '<bytes>: is empty; a model was expected'],
  ['HTML', text('\n <!DOCTYPE html><html>'), '<bytes>: is a web page, not a model'],
  ['gzip', gzipSync('model'), '<bytes>: is compressed with gzip'],
  ['zstd', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0), '<bytes>: is compressed with zstd'],
  ['xz', Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), '<bytes>: is compressed with xz'],
  ['bzip2', text('BZh91AY&SY....'), '<bytes>: is compressed with bzip2'],
  ['tar', concat(text('model.onnx'), new Uint8Array(247), text('ustar\0')), '<bytes>: is a tar archive'],
  ['NumPy', concat(Uint8Array.of(0x93), text('NUMPY\x01\0')), '<bytes>: is a NumPy array, not an ONNX model'],
  [
    'npz',
    npzOf({ input: { dims: [2], data: new Float32Array(2) } }),
    '<bytes>: is an .npz archive of NumPy arrays, not an ONNX model',
  ],
  ['zip', text('PK\x03\x04....'), '<bytes>: is a zip archive (a PyTorch .pt file?)'],
  ['an old pickle', Uint8Array.of(0x80, 2, 0x8a, 0x0a), '<bytes>: is a Python pickle (an old PyTorch file?)'],
  ['a pickle', Uint8Array.of(0x80, 3, 0x7d), '<bytes>: is a Python pickle (an old PyTorch file?)'],
  [
    'safetensors',
    concat(new Uint8Array(8), text('{"a":{"dtype"')),
    '<bytes>: is a safetensors file, which holds weights without a graph',
  ],
  ['GGUF', text('GGUF\x03\0\0\0'), '<bytes>: is a GGUF file (llama.cpp), not ONNX'],
  ['TensorFlow Lite', text('\x1c\0\0\0TFL3'), '<bytes>: is a TensorFlow Lite model, not ONNX'],
  ['ORT format', text('\x20\0\0\0ORTM'), '<bytes>: is in the ORT format, not ONNX'],
  ['HDF5', Uint8Array.of(0x89, 0x48, 0x44, 0x46), '<bytes>: is an HDF5 file (Keras?), not ONNX'],
  ['plain text', text('Hello, this is not a model.'), '<bytes>: is plain text, not an ONNX model'],
  ['text that ends early', text('# Größe\n'), '<bytes>: is plain text, not an ONNX model'],
  ['text of fields nobody knows', text('(a'), '<bytes>: is plain text, not an ONNX model'],
  ['JSON', text('{ "ir_version": 8 }'), '<bytes>: is JSON, not a model'],
  [
    'a git-lfs pointer',
    text('version https://git-lfs.github.com/spec/v1\n'),
    '<bytes>: is a git-lfs pointer, not the model it points to',
  ],
])('names %s', async (_, bytes, message) => {
  const error = await errorOf(bytes);
  expect([error.code, error.message]).toEqual(['malformed', message]);
  if (bytes.length > 0) expect(error.hint).toMatch(/^[A-Z].*[.:?]/);
});

test('a producer that begins like another format is not taken for it', async () => {
  const model = await readModel(concat(int(1, 8), field(2, 'ORTModule'), field(7, field(2, 'g'))));
  expect(model.irVersion).toBe(8);
});

test('the `kind` of an error distinguishes data files and truncated files', async () => {
  const array = concat(Uint8Array.of(0x93), text('NUMPY\x01\0'));
  expect((await errorOf(array)).kind).toBe('data_file');
  expect((await errorOf(`${malformed}truncated-half.onnx`)).kind).toBe('cut_off');
  expect((await errorOf(text('GGUF\x03\0\0\0'))).kind).toBeUndefined();
});

test.each([
  ['text with other bytes in it', text('Hello, this is no\u0001 model.'), /^<bytes>: byte \d+: /],
  ['zeros', new Uint8Array(100), /^<bytes>: byte 0: field number 0 is not valid$/],
  ['no graph', int(1, 8), /^<bytes>: has no graph$/],
  ['no version', field(7, field(2, 'g')), /^<bytes>: has no ir_version$/],
])('%s: asks whether it is an ONNX model', async (_, bytes, message) => {
  const error = await errorOf(bytes);
  expect(error).toMatchObject({ code: 'malformed', hint: 'Is it an ONNX model?' });
  expect(error.message).toMatch(message);
});

const head = int(1, 10);
const float = (...dims: (number | bigint)[]): Uint8Array =>
  modelBytes(field(5, tensorBytes('w', 1, dims, field(9, new Uint8Array(8)))));
const where = "<bytes>, graph.initializer[0] 'w': ";

/** Nested fields, built from the inside out in linear time. */
function nested(numbers: readonly number[], depth: number): Uint8Array {
  const heads: Uint8Array[] = [];
  let length = 0;
  for (let level = depth - 1; level >= 0; level--) {
    const one = concat(varint((numbers[level % numbers.length] as number) * 8 + 2), varint(length));
    heads.push(one);
    length += one.length;
  }
  return concat(...heads.reverse());
}

test.each([
  ['a wrong wire type', concat(head, int(7, 1)), '<bytes>: byte 2: field 7 has wire type 0; ONNX writes it as 2'],
  ['a version as text', field(1, 'x'), '<bytes>: byte 0: field 1 has wire type 2; ONNX writes it as 0'],
  ['a graph as group', concat(head, group(7)), '<bytes>: byte 2: field 7 has wire type 3; ONNX writes it as 2'],
  ['wire type 7', concat(head, Uint8Array.of(0x3f)), '<bytes>: byte 2: wire type 7 is not allowed here'],
  ['an end without a group', concat(head, Uint8Array.of(0x3c)), '<bytes>: byte 2: wire type 4 is not allowed here'],
  [
    'a varint of 11 bytes',
    concat(head, Uint8Array.of(0x20), new Uint8Array(10).fill(0x80), Uint8Array.of(1)),
    '<bytes>: byte 3: a number has no end within its message, or more than 64 bits',
  ],
  [
    'a number of 70 bits',
    concat(head, Uint8Array.of(0x20), new Uint8Array(9).fill(0xff), Uint8Array.of(2)),
    '<bytes>: byte 3: a number has no end within its message, or more than 64 bits',
  ],
  [
    'a varint cut off',
    concat(head, Uint8Array.of(0x20, 0x80)),
    '<bytes>: byte 3: a number has no end within its message, or more than 64 bits',
  ],
  ['field number 0', concat(head, Uint8Array.of(0x02, 0)), '<bytes>: byte 2: field number 0 is not valid'],
  [
    'field number 2^29',
    concat(head, varint(2n ** 32n), varint(0)),
    '<bytes>: byte 2: field number 536870912 is not valid',
  ],
  [
    'a length past the end',
    concat(head, Uint8Array.of(0x3a, 100)),
    '<bytes>: byte 2: field 7 needs 100 bytes; 0 are left',
  ],
  [
    'a length past its message',
    concat(head, field(7, Uint8Array.of(0x12, 5, 0x61)), int(100, 1)),
    '<bytes>: byte 4: field 2 needs 5 bytes; 1 are left',
  ],
  [
    'an absurd length',
    concat(head, varint(7 * 8 + 2), varint(2n ** 63n)),
    '<bytes>: byte 2: field 7 needs 9223372036854776000 bytes; 0 are left',
  ],
  ['a cut fixed32', concat(head, Uint8Array.of(0x25, 1, 2)), '<bytes>: byte 2: field 4 needs 4 bytes; 2 are left'],
  ['a cut fixed64', concat(head, Uint8Array.of(0x21, 1, 2)), '<bytes>: byte 2: field 4 needs 8 bytes; 2 are left'],
  ['a group without end', concat(head, Uint8Array.of(0xa3, 0x06)), '<bytes>: byte 2: group 100 has no end'],
  [
    'a group that ends as another',
    concat(head, Uint8Array.of(0xa3, 0x06, 0xac, 0x06)),
    '<bytes>: byte 4: a group ends that was not opened',
  ],
  ['two graphs', concat(modelBytes(), field(7, field(2, 'g'))), '<bytes>: byte 10: the model has a second graph'],
  [
    'two weights of a name',
    modelBytes(field(5, tensorBytes('w', 1, [0])), field(5, tensorBytes('w', 1, [0]))),
    "<bytes>: byte 19: two initializers of graph are named 'w'",
  ],
  ['a negative dim', float(-1), `${where}has the invalid dimension -1`],
  ['a dim no number can hold', float(2n ** 62n, 0), `${where}has the invalid dimension 4611686018427388000`],
  [
    'dims that overflow',
    float(2n ** 40n, 2n ** 40n),
    `${where}has the impossible shape [1099511627776, 1099511627776]`,
  ],
  ['more than there is', float(1000, 1000), `${where}raw_data has 8 bytes; float32 [1000, 1000] needs 4000000`],
  ['an unknown dtype', modelBytes(field(5, tensorBytes('w', 99, [1]))), `${where}has the unknown data type 99`],
  ['a negative dtype', modelBytes(field(5, tensorBytes('w', -1, [1]))), `${where}has the unknown data type -1`],
  [
    'half a float',
    modelBytes(field(1, field(5, field(7, Uint8Array.of(1, 2, 3))))),
    '<bytes>: byte 14: a list of floats has 3 bytes, not a multiple of 4',
  ],
])('%s', async (_, bytes, message) => {
  const error = await errorOf(bytes);
  expect([error.code, error.message]).toEqual(['malformed', message]);
});

test.each([
  ['bodies', concat(head, field(7, nested([1, 5, 6], 9_999))), /messages are nested more than 100 levels deep/],
  [
    'groups',
    concat(head, ...Array.from({ length: 10_000 }, () => Uint8Array.of(0xa3, 0x06))),
    /groups are nested more than 100 levels deep/,
  ],
  [
    'dims',
    modelBytes(field(5, field(1, new Uint8Array(1000)))),
    /a list has 1000 bytes; at most 64 numbers are accepted/,
  ],
])('endless %s exceed a limit', async (_, bytes, message) => {
  const error = await errorOf(bytes);
  expect(error.code).toBe('limit');
  expect(error.message).toMatch(message);
});
