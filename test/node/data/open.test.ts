import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { zipSync } from 'fflate';
import onnxProto from 'onnx-proto';
import { openData } from '../../../src/node/data/open.ts';
import { fixture, folder } from '../../support/cli.ts';

const X = [{ name: 'x', dtype: 'float32', dims: ['n', 2] }] as const;

/** The .npy format 1.0. */
function npy(shape: string, data: ArrayBufferView, descr = '<f4', fortran = 'False'): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
  const head = Buffer.from(`\x93NUMPY\x01\x00\0\0${header}`, 'latin1');
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder(), name);
  writeFileSync(path, bytes);
  return path;
}

const npz = (arrays: Record<string, Uint8Array>): string => file('d.npz', zipSync(arrays));

async function collect(path: string, inputs: Parameters<typeof openData>[1], options = {}) {
  const samples = [];
  const data = await openData(path, inputs, options);
  for await (const one of data.samples()) samples.push(one);
  // The number is known before reading.
  expect(data.count).toBe(samples.length);
  return samples;
}

describe('samples', () => {
  const path = npz({
    'x.npy': npy('(3, 2)', Float32Array.of(1, 2, 3, 4, 5, 6)),
    '__labels__.npy': npy('(3,)', BigInt64Array.of(7n, 8n, 9n), '<i8'),
  });

  test('are rows in batches, a partial batch last, with their labels', async () => {
    const samples = await collect(path, X, { batch: 2 });
    expect(samples.map((one) => one.label)).toEqual(['d.npz, rows 0-1', 'd.npz, row 2']);
    expect(samples[0]?.feeds['x']).toEqual({ dtype: 'float32', dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) });
    expect(samples[1]?.feeds['x']).toEqual({ dtype: 'float32', dims: [1, 2], data: Float32Array.of(5, 6) });
    expect(samples[1]?.labels?.data).toEqual(BigInt64Array.of(9n));
  });

  test('are only full batches for a model with a fixed batch', async () => {
    const samples = await collect(path, [{ name: 'x', dtype: 'float32', dims: [2, 2] }], { batch: 1 });
    expect(samples.map((one) => one.label)).toEqual(['d.npz, rows 0-1']);
  });

  test('can be limited to the first ones, and read several times', async () => {
    const data = await openData(path, X, { samples: 1 });
    expect(data.description).toBe('d.npz: 1 sample');
    for (let time = 0; time < 2; time++) {
      const labels = [];
      for await (const one of data.samples()) labels.push(one.label);
      expect(labels).toEqual(['d.npz, row 0']);
    }
  });

  test('all get an array without axes', async () => {
    const both = npz({
      'x.npy': npy('(3, 2)', Float32Array.of(1, 2, 3, 4, 5, 6)),
      'on.npy': npy('()', Uint8Array.of(1), '|b1'),
    });
    const inputs = [...X, { name: 'on', dtype: 'bool', dims: [] }] as const;
    const samples = await collect(both, inputs, { batch: 2 });
    expect(samples.map((one) => one.label)).toEqual(['d.npz, rows 0-1', 'd.npz, row 2']);
    for (const { feeds } of samples) expect(feeds['on']).toEqual({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
    const alone = npz({ 'on.npy': npy('()', Uint8Array.of(1), '|b1') });
    expect(await collect(alone, [{ name: 'on', dtype: 'bool', dims: [] }])).toHaveLength(1);
    await expect(openData(alone, [{ name: 'on', dtype: 'bool', dims: ['n'] }])).rejects.toThrow(
      "input 'on': has the shape []; the model expects [n]",
    );
    await expect(openData(both, [...X, { name: 'on', dtype: 'bool', dims: ['n', 2] }])).rejects.toThrow(
      'has the shape []',
    );
  });

  test('can come from a .npy file, as the only input of a model', async () => {
    const one = file('d.npy', npy('(1, 2)', Float32Array.of(1, 2)));
    expect((await collect(one, X))[0]?.feeds['x']?.data).toEqual(Float32Array.of(1, 2));
    await expect(openData(one, [...X, { name: 'z' }])).rejects.toThrow(/is one array, and the model has 2 inputs/);
  });
});

test.each([
  ['another name', { 'y.npy': npy('(1, 2)', Float32Array.of(1, 2)) }, /input 'y': the model has no such input/],
  [
    'a missing input',
    { '__labels__.npy': npy('(1,)', Float32Array.of(1)) },
    /input 'x': the file has no array with this name/,
  ],
  [
    'another type',
    { 'x.npy': npy('(1, 2)', Int32Array.of(1, 2), '<i4') },
    /has int32 elements; the model expects float32/,
  ],
  [
    'labels of other rows',
    { 'x.npy': npy('(1, 2)', Float32Array.of(1, 2)), '__labels__.npy': npy('(2,)', Float32Array.of(1, 2)) },
    /input '__labels__': has 2 rows; the inputs have 1/,
  ],
  ['another rank', { 'x.npy': npy('(2,)', Float32Array.of(1, 2)) }, /has the shape \[2\]; the model expects \[n, 2\]/],
  ['another size', { 'x.npy': npy('(1, 3)', Float32Array.of(1, 2, 3)) }, /has 3 on axis 1; the model expects 2/],
  ['NaN', { 'x.npy': npy('(2, 2)', Float32Array.of(1, 2, 3, Number.NaN)) }, /input 'x': row 1 holds NaN/],
  ['infinity', { 'x.npy': npy('(1, 2)', Float32Array.of(-Infinity, 2)) }, /row 0 holds infinity/],
  ['no rows', { 'x.npy': npy('(0, 2)', new Float32Array(0)) }, /has 0 rows; at least 1 are needed/],
  ['too little data', { 'x.npy': npy('(9, 2)', Float32Array.of(1)) }, /has 4 bytes of data; float32 \[9, 2\] needs 72/],
  ['a monstrous shape', { 'x.npy': npy('(99999999999, 99999999999)', Float32Array.of(1)) }, /claims the shape/],
  ['column-major', { 'x.npy': npy('(1, 2)', Float32Array.of(1, 2), '<f4', 'True') }, /is in column-major order/],
  ['big-endian', { 'x.npy': npy('(1, 2)', Float32Array.of(1, 2), '>f4') }, /elements of type '>f4'/],
  ['no array', { 'x.npy': new Uint8Array(20) }, /is not a \.npy array/],
])('%s is refused', async (_, arrays, message) => {
  await expect(collect(npz(arrays), X)).rejects.toThrow(message);
});

test('refuses a missing file, and a file that is not data', async () => {
  await expect(openData(join(folder(), 'none.npz'), X)).rejects.toThrow(/none\.npz: no such file/);
  await expect(openData(fixture('digits-mlp.onnx'), X)).rejects.toThrow(/is neither a \.npz nor a \.npy file/);
});

test('reads compressed and stored .npz files the same, row by row, whatever the size of a row', async () => {
  const data = Float32Array.from({ length: 300_000 }, (_, index) => index % 251);
  const arrays = { 'x.npy': npy('(3, 100000)', data) };
  const wide = [{ name: 'x', dtype: 'float32', dims: ['n', 100_000] }] as const;
  for (const level of [0, 6] as const) {
    const samples = await collect(file('d.npz', zipSync(arrays, { level })), wide, { batch: 2 });
    expect(samples.map((one) => one.feeds['x']?.dims)).toEqual([
      [2, 100_000],
      [1, 100_000],
    ]);
    expect(samples[1]?.feeds['x']?.data).toEqual(data.slice(200_000));
  }
});

describe('type conversion', () => {
  const types = (dtype: 'float32' | 'int64' | 'int32') => [{ name: 'x', dtype, dims: ['n', 2] }] as const;
  test.each([
    ['float64 → float32', npy('(1, 2)', Float64Array.of(0.1, 2), '<f8'), 'float32', Float32Array.of(0.1, 2)],
    ['float16 → float32', npy('(1, 2)', Uint16Array.of(0x3c00, 0xc000), '<f2'), 'float32', Float32Array.of(1, -2)],
    ['int32 → int64', npy('(1, 2)', Int32Array.of(-1, 2), '<i4'), 'int64', BigInt64Array.of(-1n, 2n)],
    ['int64 → int32', npy('(1, 2)', BigInt64Array.of(-1n, 2n), '<i8'), 'int32', Int32Array.of(-1, 2)],
  ] as const)('%s', async (_, bytes, dtype, data) => {
    const [one] = await collect(npz({ 'x.npy': bytes }), types(dtype));
    expect(one?.feeds['x']).toEqual({ dtype, dims: [1, 2], data });
  });

  test('names values that do not fit; bytes for a float input give a hint', async () => {
    const large = npz({ 'x.npy': npy('(1, 2)', BigInt64Array.of(1n, 2n ** 40n), '<i8') });
    await expect(collect(large, types('int32'))).rejects.toThrow(/input 'x': 1099511627776 does not fit in int32/);
    const bytes = npz({ 'x.npy': npy('(1, 2)', Uint8Array.of(1, 2), '|u1') });
    await expect(collect(bytes, X)).rejects.toMatchObject({ hint: expect.stringContaining('x / 255') });
  });
});

describe('.json', () => {
  const json = (content: unknown): string => file('d.json', Buffer.from(JSON.stringify(content)));

  test('splits an object into rows, and feeds a list as it is', async () => {
    const rows = [
      [1, 2],
      [3, 4],
      [5, 6.5],
    ];
    const samples = await collect(json({ x: rows, __labels__: [7, 8, 9] }), X, { batch: 2 });
    expect(samples.map((one) => one.feeds['x']?.data)).toEqual([Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6.5)]);
    expect(samples[1]?.labels).toEqual({ dtype: 'int64', dims: [1], data: BigInt64Array.of(9n) });
    const list = await collect(
      json([
        { x: [1, 2] },
        {
          x: [
            [3, 4],
            [5, 6],
          ],
        },
      ]),
      X,
    );
    expect(list.map((one) => one.label)).toEqual(['d.json, sample 0', 'd.json, sample 1']);
    expect(list.map((one) => one.feeds['x']?.dims)).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  test('reads integers and booleans', async () => {
    const inputs = [
      { name: 'ids', dtype: 'int64', dims: ['n', 2] },
      { name: 'mask', dtype: 'bool', dims: ['n', 2] },
    ] as const;
    const [one] = await collect(json({ ids: [[1, 2 ** 40]], mask: [[true, false]] }), inputs);
    expect(one?.feeds['ids']?.data).toEqual(BigInt64Array.of(1n, 2n ** 40n));
    expect(one?.feeds['mask']?.data).toEqual(Uint8Array.of(1, 0));
    await expect(collect(json({ ids: [[1, 0.5]], mask: [[1, 0]] }), inputs)).rejects.toThrow(
      /input 'ids': contains 0\.5; the model expects int64/,
    );
    const small = [{ name: 'b', dtype: 'uint8', dims: ['n'] }] as const;
    await expect(collect(json({ b: [256] }), small)).rejects.toThrow(/contains 256; the model expects uint8/);
  });

  test.each([
    ['{', /is not JSON/],
    ['3', /is not an object/],
    ['[[1]]', /sample 0: is not an object/],
    ['{"x": [[1, 2], [3]]}', /input 'x': not all of its rows have the shape \[2\]/],
    ['{"x": [[1, [2]]]}', /not all of its rows/],
    ['{"x": [[1, "a"]]}', /holds "a", which is not a number/],
    ['{"x": [[1, null]]}', /holds null, which is not a number/],
    ['{"x": []}', /has the shape \[0\]/],
    ['[]', /has 0 rows; at least 1 are needed/],
    [`{"x": ${'['.repeat(40)}1${']'.repeat(40)}}`, /is nested more than 32 levels deep/],
  ])('%s is refused', async (text, message) => {
    await expect(collect(file('d.json', Buffer.from(text)), X)).rejects.toThrow(message);
  });
});

describe('folders', () => {
  const folderOf = (files: Record<string, Uint8Array>): string => {
    const path = folder();
    for (const [name, bytes] of Object.entries(files)) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), bytes);
    }
    return path;
  };
  const row = (...values: number[]): Uint8Array => npy('(1, 2)', Float32Array.of(...values));

  test('read files in the order of the numbers in their names; --samples counts across files', async () => {
    const path = folderOf({
      'b10.npy': row(10, 0),
      'b9.npz': zipSync({ 'x.npy': row(9, 0) }),
      'readme.txt': row(0, 0),
    });
    const samples = await collect(path, X);
    expect(samples.map((one) => one.feeds['x']?.data[0])).toEqual([9, 10]);
    expect(samples.map((one) => one.label)).toEqual(['b9.npz, row 0', 'b10.npy, row 0']);
    expect((await openData(path, X)).description).toMatch(/: 2 samples in 2 files$/);
    expect(await collect(path, X, { samples: 1 })).toHaveLength(1);
  });

  /** A TensorProto of float32, written by onnx-proto. */
  const pb = (name: string, dims: number[], values: number[]): Uint8Array =>
    onnxProto.onnx.TensorProto.encode({ name, dims, dataType: 1, floatData: values }).finish();

  test('of ONNX test data have a sample per set, with tensors matched by name or number', async () => {
    const inputs = [...X, { name: 'z', dtype: 'float32', dims: ['n'] }] as const;
    const path = folderOf({
      'model.onnx': row(0, 0),
      'test_data_set_0/input_0.pb': pb('x', [1, 2], [1, 2]),
      'test_data_set_0/input_1.pb': pb('', [3], [3, 4, 5]),
      'test_data_set_0/output_0.pb': pb('y', [1], [0]),
      'test_data_set_1/input_0.pb': pb('z', [1], [6]),
      'test_data_set_1/input_1.pb': pb('x', [2, 2], [7, 8, 9, 10]),
    });
    const samples = await collect(path, inputs);
    expect(samples.map((one) => one.label)).toEqual(['test_data_set_0', 'test_data_set_1']);
    expect(samples[0]?.feeds['z']).toEqual({ dtype: 'float32', dims: [3], data: Float32Array.of(3, 4, 5) });
    expect(samples[1]?.feeds['x']).toEqual({ dtype: 'float32', dims: [2, 2], data: Float32Array.of(7, 8, 9, 10) });
    expect(await collect(join(path, 'test_data_set_1'), inputs)).toHaveLength(1);
  });

  test('name broken sets', async () => {
    const cut = folderOf({ 'input_0.pb': pb('x', [1, 2], [1, 2]).subarray(0, 9) });
    await expect(collect(cut, X)).rejects.toMatchObject({ code: 'malformed' });
    const wrong = folderOf({ 'input_0.pb': pb('x', [1, 3], [1, 2, 3]) });
    await expect(collect(wrong, X)).rejects.toThrow(/input 'x': has 3 on axis 1; the model expects 2/);
    const twice = folderOf({ 'input_0.pb': pb('x', [1, 2], [1, 2]), 'input_1.pb': pb('x', [1, 2], [1, 2]) });
    await expect(collect(twice, X)).rejects.toThrow(/has two tensors for the input 'x'/);
    await expect(collect(folderOf({ 'a.txt': row(1, 2) }), X)).rejects.toThrow(
      /contains no \.npz, \.npy or \.json file/,
    );
  });
});
