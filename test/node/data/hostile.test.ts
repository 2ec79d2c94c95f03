import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { zipSync } from 'fflate';
import { openData } from '../../../src/node/data/open.ts';
import { loadRanges } from '../../../src/node/runtime/rangesFile.ts';
import { folder } from '../../support/cli.ts';
import { concat, field, tensorBytes, varint } from '../../support/wire.ts';

const X = [{ name: 'x', dtype: 'float32', dims: ['n', 'm'] }] as const;

/** The error for a data file of these bytes, without its folder. */
async function saidOf(
  name: string,
  bytes: Uint8Array | string,
  inputs: Parameters<typeof openData>[1] = X,
): Promise<string> {
  const path = join(folder(), name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, bytes);
  return said(name.endsWith('.pb') ? join(path, '..') : path, inputs);
}

async function said(path: string, inputs: Parameters<typeof openData>[1] = X): Promise<string> {
  try {
    let samples = 0;
    for await (const _ of (await openData(path, inputs)).samples()) samples++;
    return `${samples} samples`;
  } catch (cause) {
    expect(cause).toMatchObject({ name: 'CompressError' });
    expect((cause as { code: string }).code).toMatch(/^(data|limit|io|malformed|unsupported)$/);
    return (cause as Error).message.replaceAll(join(path, '..'), '').replace(/^\//, '');
  }
}

/** A .npy file that claims a shape, with `byteLength` bytes after its header. */
function npy(shape: string, byteLength: number, descr = '<f4'): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`;
  const head = Buffer.from(`\x93NUMPY\x01\x00\0\0${header}`, 'latin1');
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, new Uint8Array(byteLength)]);
}

/** A zip with one file whose directory gives a wrong unpacked size. */
function lying(bytes: Uint8Array, byteLength: number): Uint8Array {
  const at = Buffer.from(bytes).lastIndexOf('PK\x01\x02');
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at + 24, byteLength, true);
  return bytes;
}

describe('.npy', () => {
  test.each([
    ['(99999999999, 0)', 0, "d.npy, input 'x': has 99999999999 rows; at most 134217728 are read"],
    ['(134217728, 1)', 0, "d.npy, input 'x': has 0 bytes of data; float32 [134217728, 1] needs 536870912"],
    ['(0, 99999999999)', 0, 'd.npy: has 0 rows; at least 1 are needed'],
    ['(-1, 3)', 12, "d.npy, input 'x': has a header without a shape"],
    ['(4294967296, 4294967296)', 4, "d.npy, input 'x': claims the shape [4294967296, 4294967296]"],
    [`(${'1, '.repeat(33)})`, 4, `d.npy, input 'x': claims the shape [${Array(33).fill(1).join(', ')}]`],
    ['(1 1, 1)', 4, "d.npy, input 'x': claims the shape [NaN, 1]"],
    [`(1, 1)${' '.repeat(17_000)}`, 4, "d.npy, input 'x': ends within its header"],
  ])('%s', async (shape, byteLength, message) => {
    expect(await saidOf('d.npy', npy(shape, byteLength))).toBe(message);
  });

  test('refuses types that are code, or names of object properties', async () => {
    expect(await saidOf('d.npy', npy('(1, 1)', 8, '|O'))).toBe(
      "d.npy, input 'x': has elements of type '|O', which no model input accepts",
    );
    expect(await saidOf('d.npy', npy('(1, 1)', 8, '__proto__'))).toBe(
      "d.npy, input 'x': has elements of type '__proto__', which no model input accepts",
    );
  });
});

describe('.npz', () => {
  test('refuses a bomb: one row that would unpack to all memory', async () => {
    const head = npy('(1, 1000000000)', 0).length;
    const bomb = lying(zipSync({ 'x.npy': npy('(1, 1000000000)', 100_000) }), head + 4_000_000_000);
    expect(await saidOf('d.npz', bomb)).toBe(
      "d.npz, input 'x': 1 rows have 4000000000 bytes; at most 1073741824 can be fed at once",
    );
  });

  test('refuses wrong sizes in the directory', async () => {
    const head = npy('(1000, 1000)', 0).length;
    const bytes = lying(zipSync({ 'x.npy': npy('(1000, 1000)', 1000) }, { level: 6 }), head + 4_000_000);
    expect(await saidOf('d.npz', bytes)).toMatch(
      /^d\.npz: is not a \.npz file, or is truncated: not enough bytes in the stream/,
    );
    const more = lying(zipSync({ 'x.npy': npy('(1, 1)', 100_000) }, { level: 6 }), npy('(1, 1)', 4).length);
    expect(await saidOf('d.npz', more)).toMatch(
      /^d\.npz: is not a \.npz file, or is truncated: too many bytes in the stream/,
    );
  });

  test('refuses two arrays of one name, thousands of arrays, and names that are paths', async () => {
    expect(await saidOf('d.npz', zipSync({ 'x.npy': npy('(1, 1)', 4), x: npy('(1, 1)', 4) }))).toBe(
      "d.npz: has two arrays named 'x'",
    );
    const many = Object.fromEntries(Array.from({ length: 4097 }, (_, index) => [`${index}.npy`, new Uint8Array(1)]));
    expect(await saidOf('d.npz', zipSync(many, { level: 0 }))).toBe('d.npz: has more than 4096 arrays');
    expect(await saidOf('d.npz', zipSync({ '../x.npy': npy('(1, 1)', 4) }))).toBe(
      'd.npz: is not a .npz file, or is truncated: invalid relative path: ../x.npy',
    );
    expect(await saidOf('d.npz', zipSync({ 'x.npy': npy('(1, 1)', 4) }).subarray(0, 60))).toMatch(
      /^d\.npz: is not a \.npz file, or is truncated/,
    );
  });

  test('feeds an input called __proto__ like any other', async () => {
    const path = join(folder(), 'd.npz');
    writeFileSync(path, zipSync(Object.fromEntries([['__proto__.npy', npy('(1, 1)', 4)]])));
    const data = await openData(path, [{ name: '__proto__', dtype: 'float32', dims: ['n', 1] }]);
    for await (const { feeds } of data.samples()) {
      expect(Object.keys(feeds)).toEqual(['__proto__']);
      expect(Object.getPrototypeOf(feeds)).toBeNull();
    }
  });
});

describe('.json', () => {
  const open = (count: number): string => '['.repeat(count);
  test.each([
    ['brackets in brackets', open(1_000_000), 'd.json: is nested more than 100 levels deep'],
    [
      'brackets that mean no nesting',
      `{"x": [[1, 2]], "${'[{'.repeat(200)}": [1]}`,
      /input '\[\{.*': the model has no such input/s,
    ],
    ['a quote that is no end', `{"\\"[[": ${open(101)}`, 'd.json: is nested more than 100 levels deep'],
    ['dimensions', `{"x": ${open(40)}1${']'.repeat(40)}}`, "d.json, input 'x': is nested more than 32 levels deep"],
    [
      'arrays without number',
      `{"x": [${'[],'.repeat(4_194_304)}[]]}`,
      'd.json: has more than 4194304 arrays, objects and fields',
    ],
    [
      'an array that is none',
      '{"x": {"length": 1}}',
      /^d\.json, input 'x': holds \{"length":1\}, which is not a number$/,
    ],
    ['__proto__', '{"__proto__": [[1]], "x": [[1]]}', /^d\.json, input '__proto__': the model has no such input$/],
    ['infinity', '{"x": [[1e999]]}', "d.json, input 'x': row 0 holds infinity"],
  ])('%s', async (_, text, message) => {
    const found = await saidOf('d.json', text);
    if (typeof message === 'string') expect(found).toBe(message);
    else expect(found).toMatch(message);
  });

  test('refuses files beyond the limit', async () => {
    const path = join(folder(), 'd.json');
    writeFileSync(path, '[');
    truncateSync(path, 67_108_865);
    expect(await said(path)).toBe('d.json: has 67108865 bytes; JSON files may have at most 67108864');
  });
});

describe('ONNX test data', () => {
  test.each([
    [
      'a shape of few bytes',
      concat(tensorBytes('x', 7, [2n ** 40n], field(7, Uint8Array.of(1)))),
      /has at most 1 numbers; int64 \[1099511627776\] needs 1099511627776$/,
    ],
    [
      'a length past the end',
      concat(varint(9 * 8 + 2), varint(2n ** 40n)),
      /byte 0: field 9 needs 1099511627776 bytes; 0 are left$/,
    ],
    [
      'data in another file',
      tensorBytes('x', 1, [1, 1], field(13, field(1, 'location'), field(2, '/etc/passwd')), Uint8Array.of(0x70, 1)),
      /its data is in the file '\/etc\/passwd'$/,
    ],
    ['text', tensorBytes('x', 8, [1], field(6, 'text')), /a string tensor cannot be loaded as numbers$/],
  ])('%s', async (_, bytes, message) => {
    expect(await saidOf('test_data_set_0/input_0.pb', bytes)).toMatch(message);
  });

  test('refuses files beyond the limit', async () => {
    const path = join(folder(), 'input_0.pb');
    writeFileSync(path, '');
    truncateSync(path, 268_435_457);
    expect(await said(join(path, '..'))).toMatch(
      /input_0\.pb: has 268435457 bytes; tensor files may have at most 268435456$/,
    );
  });
});

test('refuses FIFOs and devices, in a folder and as a ranges file, without reading them', async () => {
  const path = folder();
  execFileSync('mkfifo', [join(path, 'a.npz')]);
  expect(await said(path)).toMatch(/a\.npz: is not a regular file$/);
  const other = folder();
  symlinkSync('/dev/zero', join(other, 'a.json'));
  expect(await said(other)).toMatch(/a\.json: is not a regular file$/);
  await expect(loadRanges(join(other, 'a.json'))).rejects.toThrow('a.json: is not a regular file');
  await expect(loadRanges(join(path, 'a.npz'))).rejects.toThrow('a.npz: is not a regular file');
});
