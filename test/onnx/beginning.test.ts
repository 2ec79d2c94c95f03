/** Piped bytes are refused at their beginning if they cannot be a model, and never if they are one. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { readModel } from '../../src/node/model.ts';
import { refuseBeginning } from '../../src/onnx/beginning.ts';
import { randomFloats } from '../support/random.ts';
import { concat, field, int, modelBytes, tensorBytes } from '../support/wire.ts';

const fixtures = new URL('../../fixtures/', import.meta.url).pathname;

const refusal = (bytes: Uint8Array): Promise<string> =>
  refuseBeginning(bytes, '<stdin>').then(
    () => '',
    (cause: Error) => cause.message,
  );
const lines = (text: string): Uint8Array => Buffer.from(text.repeat(2000));

test('accepts every model of the fixtures, cut anywhere', async () => {
  const names = readdirSync(fixtures, { recursive: true, encoding: 'utf8' });
  const models = names.filter((name) => name.endsWith('.onnx') && !name.startsWith('malformed'));
  expect(models.length).toBeGreaterThan(20);
  for (const name of models) {
    const bytes = readFileSync(join(fixtures, name));
    for (const length of [1, 100, 512, 513, 1000, 5000, 70_000]) {
      const said = await refusal(bytes.subarray(0, length));
      expect([name, length, said]).toEqual([name, length, name.includes('external') ? expect.anything() : '']);
    }
  }
});

test('accepts a model whose fields are in another order, with half a megabyte of text first', async () => {
  const model = modelBytes(field(2, 'g'));
  const doc = field(6, 'what this model is for, in many words. '.repeat(20_000));
  for (const bytes of [
    concat(doc, model),
    concat(field(14, field(1, 'key'), field(2, 'long '.repeat(5000))), model),
    concat(field(7, field(10, 'about '.repeat(300)), field(2, 'g')), int(1, 10), field(8, int(2, 21))),
    concat(field(1001, 'unknown '.repeat(1000)), model),
  ]) {
    await (await readModel(bytes)).close();
    expect(await refusal(bytes.subarray(0, 4096))).toBe('');
  }
});

test('reads past leading zeros before it decides', async () => {
  expect(await refusal(new Uint8Array(4000))).toBe('');
});

const others: [what: string, bytes: Uint8Array, message: string | RegExp][] = [
  ['lines', lines('y\n'), 'is plain text, not an ONNX model'],
  ['words', lines('hello world\n'), 'is plain text, not an ONNX model'],
  ['a log', lines('2024-01-01 12:00 started\n'), 'is plain text, not an ONNX model'],
  ['a table', lines('1.5,2.5,3.5\n'), 'is plain text, not an ONNX model'],
  ['base64', lines('eQp5CnkKeQp5CnkK'), 'is plain text, not an ONNX model'],
  ['an empty line first', lines('\nvalue: 1\n'), 'is plain text, not an ONNX model'],
  ['JSON', lines('{"a": 1}\n'), 'is JSON, not a model'],
  ['a web page', lines('<!doctype html>\n'), 'is a web page, not a model'],
  ['a git-lfs pointer', lines('version https://git-lfs.github.com/spec/v1\n'), 'is a git-lfs pointer'],
  ['gzip', gzipSync(Buffer.from(randomFloats([2000]).buffer)), 'is compressed with gzip'],
  ['zip', concat(Buffer.from('PK\x03\x04'), lines('zip')), 'is a zip archive'],
  ['a program', concat(Buffer.from('\x7fELF\x02\x01\x01'), new Uint8Array(4000)), /byte 0: wire type 7/],
  [
    'zeros behind text',
    concat(Buffer.from('abcdefghi'), new Uint8Array(4000)),
    /byte \d+: field number 0 is not valid/,
  ],
  ['UTF-16', Buffer.from('\ufefftext '.repeat(500), 'utf16le'), /byte 0: wire type 7/],
  ['a broken model', concat(modelBytes(), field(7), new Uint8Array(4000)), 'the model has a second graph'],
  [
    'a model whose data lies elsewhere',
    concat(
      modelBytes(field(5, tensorBytes('w', 1, [4], field(13, field(1, 'location'), field(2, 'w.data')), int(14, 1)))),
      field(6, 'x'.repeat(4000)),
    ),
    "its data is in the file 'w.data'",
  ],
];

test.each(others)('refuses %s', async (_, bytes, message) => {
  expect(await refusal(bytes.subarray(0, 4000))).toMatch(message);
});
