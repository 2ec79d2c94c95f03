import { expect, test } from '@jest/globals';
import { bitsOf, byteLengthOf, DTYPES, dtypeNumber, elementCount, isFloat } from '../../src/ir/dtype.ts';
import { constant, derived } from '../../src/ir/tensor.ts';

test('dtypes have the numbers of TensorProto.DataType', () => {
  const known = {
    float32: 1,
    int8: 3,
    string: 8,
    bool: 9,
    float16: 10,
    bfloat16: 16,
    uint4: 21,
    int4: 22,
    float4e2m1: 23,
    float8e8m0: 24,
    uint2: 25,
    int2: 26,
  };
  for (const [name, number] of Object.entries(known)) expect(DTYPES[number]).toBe(name);
  expect(DTYPES.map(dtypeNumber)).toEqual(DTYPES.map((_, index) => index));
  expect(DTYPES.filter(isFloat)).toEqual(['float32', 'float16', 'float64', 'bfloat16']);
});

test('elements of less than a byte are packed, and the last byte is padded', () => {
  expect([0, 1, 2, 3].map((count) => byteLengthOf('int4', count))).toEqual([0, 1, 1, 2]);
  expect([1, 4, 5].map((count) => byteLengthOf('uint2', count))).toEqual([1, 1, 2]);
  expect(byteLengthOf('complex128', 3)).toBe(48);
  expect(bitsOf('string')).toBe(0);
  expect([elementCount([]), elementCount([2, 3]), elementCount([2, 0])]).toEqual([1, 6, 0]);
});

test('a constant is a view of the given array, whose size must fit', async () => {
  const data = Float32Array.of(1, 2, 3);
  const tensor = constant('w', 'float32', [2], data.subarray(1));
  expect(tensor.byteLength).toBe(8);
  expect([...new Float32Array((await tensor.load()).slice().buffer)]).toEqual([2, 3]);
  expect(() => constant('w', 'float32', [2], data)).toThrow('w: 12 bytes were given; float32 [2] needs 8');
});

test('a derived tensor is computed at each load, and its size is checked', async () => {
  let count = 0;
  const tensor = derived('w', 'int8', [1], async () => Int8Array.of(count++));
  expect([tensor.byteLength, count]).toEqual([1, 0]);
  await tensor.load();
  expect([...(await tensor.load())]).toEqual([1]);
  const liar = derived('w', 'int8', [2], async () => Int8Array.of(1));
  await expect(liar.load()).rejects.toMatchObject({
    code: 'internal',
    message: 'w: 1 bytes were computed; 2 were promised',
  });
});
