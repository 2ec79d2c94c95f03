import { describe, expect, test } from '@jest/globals';
import { constant, type Tensor } from '../../src/ir/tensor.ts';
import { floats } from '../../src/kernels/views.ts';
import { asItIs, encode, type Given, paramsOf } from '../../src/schemes/encode.ts';
import { encodeHalf } from '../../src/schemes/float16.ts';
import {
  type EncodedIntegers,
  type Granularity,
  integerScheme,
  SMALL_INTEGERS,
  type SmallInteger,
} from '../../src/schemes/scheme.ts';
import { DIMS, REALS, REFERENCES } from './reference.ts';

const NAMES = { of: 'w', data: 'q', scale: 's', zeroPoint: 'z' };
const weight = (values: readonly number[], dims: readonly number[]): Tensor =>
  constant('w', 'float32', dims, Float32Array.from(values));

async function encoded(given: Given, dtype: SmallInteger, granularity: Granularity): Promise<EncodedIntegers> {
  const scheme = integerScheme(dtype, granularity);
  const params = await paramsOf(given, scheme);
  if (params === undefined) throw new Error('not finite');
  return encode(given, scheme, params, NAMES);
}

const bytesOf = async (tensor: Tensor | undefined): Promise<number[]> => [...((await tensor?.load()) ?? [])];
const scalesOf = async ({ scale }: EncodedIntegers): Promise<number[]> => [...floats(await scale.load())];

describe('blocks of 4 along the first axis', () => {
  const blocks: Granularity = { kind: 'block', axis: 0, size: 4 };
  const types = SMALL_INTEGERS;

  test.each(types)('%s: have the bytes of the reference', async (dtype) => {
    const { raw, scale, zeroPoint } = REFERENCES[dtype];
    const made = await encoded(asItIs(weight(REALS, DIMS)), dtype, blocks);
    expect(made.scheme.name).toBe(`${dtype} in blocks of 4`);
    expect([made.data.dtype, made.data.dims, made.scale.dims]).toEqual([dtype, [8, 3], [2, 3]]);
    expect(await bytesOf(made.data)).toEqual(raw);
    expect(await scalesOf(made)).toEqual([...Float32Array.from(scale)]);
    const whole = made.zeroPoint === undefined ? undefined : await bytesOf(made.zeroPoint);
    const perByte = dtype.endsWith('8') ? 1 : dtype.endsWith('4') ? 2 : 4;
    const apart = whole?.flatMap((byte) =>
      Array.from({ length: perByte }, (_, at) => (byte >> ((at * 8) / perByte)) & (256 ** (1 / perByte) - 1)),
    );
    expect(apart?.slice(0, 6) ?? [0, 0, 0, 0, 0, 0]).toEqual(zeroPoint);
  });

  test.each(types)('%s: are the same for a transposed matrix along its other axis', async (dtype) => {
    const turned = Array.from({ length: 24 }, (_, at) => REALS[(at % 8) * 3 + Math.floor(at / 8)] as number);
    const given = { tensor: weight(turned, [3, 8]), transposed: true, factor: 1 };
    const made = await encoded(given, dtype, blocks);
    expect(await bytesOf(made.data)).toEqual(REFERENCES[dtype].raw);
    expect(await scalesOf(made)).toEqual([...Float32Array.from(REFERENCES[dtype].scale)]);
  });

  test('may be shorter at the end, along any axis', async () => {
    const made = await encoded(asItIs(weight([7, -7, 14, 2, -7, 4], [2, 3])), 'int4', {
      kind: 'block',
      axis: 1,
      size: 2,
    });
    expect(made.scale.dims).toEqual([2, 2]);
    expect(await scalesOf(made)).toEqual([1, 2, 1, Math.fround(4 / 7)]);
    // 7, −7, 7, then 2, −7, 7; the first of two in the low bits.
    expect(await bytesOf(made.data)).toEqual([0x97, 0x27, 0x79]);
  });
});

test('encodes channels over several axes: rows of two matrices', async () => {
  const values = [1, -127, 2, 254, 0.5, 63.5, -3, 381];
  const made = await encoded(asItIs(weight(values, [2, 2, 2])), 'int8', { kind: 'channel', axis: 1, from: 0 });
  expect(made.scale.dims).toEqual([2, 2]);
  expect(await scalesOf(made)).toEqual([1, 2, 0.5, 3]);
  expect([...new Int8Array(await made.data.load())]).toEqual([1, -127, 1, 127, 1, 127, -1, 127]);
});

test('gives no scale for NaN and infinity', async () => {
  const scheme = integerScheme('int4', { kind: 'block', axis: 0, size: 2 });
  expect(await paramsOf(asItIs(weight([1, 2, Number.NaN, 4], [4])), scheme)).toBeUndefined();
});

test('integers keep a reference to their weight, whatever its name', async () => {
  const made = await encoded(asItIs(weight([1, 2], [2])), 'int8', { kind: 'tensor' });
  expect(made.data.from?.name).toBe('w');
});

test('rounds float16 to nearest, ties to even', async () => {
  const made = await encodeHalf(weight([1, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 65504, 65520, -(2 ** -25)], [6]), 'h');
  expect([made.data.name, made.data.dtype, made.scheme.name]).toEqual(['h', 'float16', 'float16']);
  const bits = new Uint16Array((await made.data.load()).buffer);
  expect([...bits]).toEqual([0x3c00, 0x3c00, 0x3c02, 0x7bff, 0x7c00, 0x8000]);
});
