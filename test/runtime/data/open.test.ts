import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { zipSync } from 'fflate';
import { openData } from '../../../src/runtime/data/open.ts';
import { fixture, folder } from '../../support/cli.ts';

const X = [{ name: 'x', dtype: 'float32', dims: ['n', 2] }] as const;

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
  for await (const one of (await openData(path, inputs, options)).samples()) samples.push(one);
  return samples;
}

describe('samples', () => {
  const path = npz({
    'x.npy': npy('(3, 2)', Float32Array.of(1, 2, 3, 4, 5, 6)),
    '__labels__.npy': npy('(3,)', BigInt64Array.of(7n, 8n, 9n), '<i8'),
  });

  test('rows by batch, the rest last, labels with them', async () => {
    const samples = await collect(path, X, { batch: 2 });
    expect(samples.map((one) => one.label)).toEqual(['d.npz, rows 0-1', 'd.npz, row 2']);
    expect(samples[0]?.feeds['x']).toEqual({ dtype: 'float32', dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) });
    expect(samples[1]?.feeds['x']).toEqual({ dtype: 'float32', dims: [1, 2], data: Float32Array.of(5, 6) });
    expect(samples[1]?.labels?.data).toEqual(BigInt64Array.of(9n));
  });

  test('a model that fixes its batch gets whole ones only', async () => {
    const samples = await collect(path, [{ name: 'x', dtype: 'float32', dims: [2, 2] }], { batch: 1 });
    expect(samples.map((one) => one.label)).toEqual(['d.npz, rows 0-1']);
  });

  test('only the first, and as often as asked', async () => {
    const data = await openData(path, X, { samples: 1 });
    expect(data.description).toBe('d.npz: 1 sample');
    for (let time = 0; time < 2; time++) {
      const labels = [];
      for await (const one of data.samples()) labels.push(one.label);
      expect(labels).toEqual(['d.npz, row 0']);
    }
  });

  test('a .npy is the one input of its model', async () => {
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
    /input 'x': the file has no array of this name/,
  ],
  [
    'another type',
    { 'x.npy': npy('(1, 2)', Int32Array.of(1, 2), '<i4') },
    /has int32 elements; the model takes float32/,
  ],
  ['another rank', { 'x.npy': npy('(2,)', Float32Array.of(1, 2)) }, /has the shape \[2\]; the model takes \[n, 2\]/],
  ['another size', { 'x.npy': npy('(1, 3)', Float32Array.of(1, 2, 3)) }, /has 3 on axis 1; the model takes 2/],
  ['NaN', { 'x.npy': npy('(2, 2)', Float32Array.of(1, 2, 3, Number.NaN)) }, /input 'x': row 1 holds NaN/],
  ['infinity', { 'x.npy': npy('(1, 2)', Float32Array.of(-Infinity, 2)) }, /row 0 holds infinity/],
  ['no rows', { 'x.npy': npy('(0, 2)', new Float32Array(0)) }, /has 0 rows; at least 1 are needed/],
  ['too little data', { 'x.npy': npy('(9, 2)', Float32Array.of(1)) }, /has 4 bytes of data; float32 \[9, 2\] needs 72/],
  ['a monstrous shape', { 'x.npy': npy('(99999999999, 99999999999)', Float32Array.of(1)) }, /claims the shape/],
  ['column-major', { 'x.npy': npy('(1, 2)', Float32Array.of(1, 2), '<f4', 'True') }, /is column-major/],
  ['big-endian', { 'x.npy': npy('(1, 2)', Float32Array.of(1, 2), '>f4') }, /elements of type '>f4'/],
  ['no array', { 'x.npy': new Uint8Array(20) }, /is no \.npy array/],
])('%s is refused', async (_, arrays, message) => {
  await expect(openData(npz(arrays), X)).rejects.toThrow(message);
});

test('no file, and what is no data file', async () => {
  await expect(openData(join(folder(), 'none.npz'), X)).rejects.toThrow(/none\.npz: no such file/);
  await expect(openData(fixture('digits-mlp.onnx'), X)).rejects.toThrow(/is neither a \.npz nor a \.npy file/);
});
