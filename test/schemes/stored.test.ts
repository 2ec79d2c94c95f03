/** Weights that are stored as integers or float16 and used as float. */
import { describe, expect, test } from '@jest/globals';
import { Graph } from '../../src/ir/graph.ts';
import { constant } from '../../src/ir/tensor.ts';
import { decode } from '../../src/schemes/decode.ts';
import { type MeasuredWay, measureWays, predictedWays } from '../../src/schemes/measured.ts';
import { encodedBytes } from '../../src/schemes/scheme.ts';
import { encodeAsHalf, encodeStored } from '../../src/schemes/stored.ts';
import { coarsestWay, type StoredForm } from '../../src/schemes/ways.ts';
import { randomFloats, seeded } from '../support/random.ts';

const FORM: StoredForm = { dtype: 'int8', coarsest: { kind: 'channel', axis: 0 }, rows: 1, reduceRange: false };

/** Nearly normal numbers: sums of uniform numbers. */
function normal(count: number, seed: number): Float32Array {
  const next = seeded(seed);
  return Float32Array.from({ length: count }, () => Array.from({ length: 12 }, next).reduce((a, b) => a + b, -6));
}

async function waysOf(data: Float32Array, dims: readonly number[], form: Partial<StoredForm> = {}) {
  return measureWays(constant('w', 'float32', dims, data), { ...FORM, ...form }, 'w', true);
}

/** A weight stored in a way, with its noise and bytes. */
async function stored(data: Float32Array, dims: readonly number[], { way }: MeasuredWay) {
  const tensor = constant('w', 'float32', dims, data);
  if (way.kind === 'float') throw new Error('as it is');
  const graph = new Graph({});
  const encoded = await (way.kind === 'half'
    ? encodeAsHalf(tensor, graph, 'w')
    : encodeStored(tensor, way, graph, 'w'));
  if (encoded === undefined) throw new Error('not finite');
  const reals: number[] = [];
  for await (const chunk of decode(encoded)()) reals.push(...chunk);
  const noise = reals.reduce((sum, real, at) => sum + (real - (data[at] as number)) ** 2, 0);
  return { encoded, noise: noise / data.reduce((sum, value) => sum + value * value, 0) };
}

const named = ({ way }: MeasuredWay): string =>
  way.kind === 'integers' ? `${way.scheme.name}, ${way.scales}` : way.kind;

describe('the ways to store a weight', () => {
  const dims = [128, 64, 3, 3];
  const data = normal(128 * 576, 5);

  test('range from a scale per channel to float', async () => {
    const ways = (await waysOf(data, dims)) ?? [];
    expect(ways.map(named)).toEqual([
      'int8 per channel, float16',
      'int8 in blocks of 64, uint8',
      'int8 in blocks of 32, uint8',
      'int8 in blocks of 16, uint8',
      'half',
      'float',
    ]);
    const bytes = ways.map(({ way }) => way.bytes);
    expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
    const noises = ways.map(({ noise }) => noise);
    expect(noises).toEqual([...noises].sort((a, b) => b - a));
  });

  test('have the expected noise within a decibel, and the predicted bytes', async () => {
    for (const one of (await waysOf(data, dims)) ?? []) {
      if (one.way.kind === 'float') continue;
      const { encoded, noise } = await stored(data, dims, one);
      expect([named(one), Math.abs(10 * Math.log10(noise / one.noise)) < 1]).toEqual([named(one), true]);
      const names = one.way.bytes - encodedBytes(encoded);
      expect([named(one), names > 50 && names < 400]).toEqual([named(one), true]);
    }
  });

  test('in blocks have other dims, a byte per scale and a step per row', async () => {
    const [, , , narrow] = (await waysOf(data, dims)) as [unknown, unknown, unknown, MeasuredWay];
    const { encoded } = await stored(data, dims, narrow);
    expect(encoded).toMatchObject({ shape: dims, data: { dims: [128, 36, 16] } });
    const scale = 'storedScale' in encoded ? encoded.storedScale : undefined;
    expect(scale?.data).toMatchObject({ name: 'w_scale_quantized', dtype: 'uint8', dims: [128, 36, 1] });
    expect(scale?.scale).toMatchObject({ name: 'w_scale_scale', dtype: 'float32', dims: [128] });
    expect(encodedBytes(encoded)).toBe(128 * 576 + 128 * 36 + 4 * 128);
  });

  test('have zero points and float scales for unsigned integers', async () => {
    const ways = (await waysOf(data, dims, { dtype: 'uint8' })) ?? [];
    expect(ways.map(named).filter((name) => name.endsWith(', uint8'))).toEqual([]);
    const { noise } = await stored(data, dims, ways[0] as MeasuredWay);
    expect(Math.abs(10 * Math.log10(noise / (ways[0]?.noise ?? 0)))).toBeLessThan(1);
  });

  test('do not store small numbers or their scales as float16', async () => {
    const ways =
      (await waysOf(
        data.map((value) => value * 1e-8),
        dims,
      )) ?? [];
    expect(ways.map(named).filter((name) => /half|float16/.test(name))).toEqual([]);
  });

  test('are the same without reading, as if the numbers were normally distributed', async () => {
    const tensor = constant('w', 'float32', dims, data);
    const foreseen = predictedWays(tensor, FORM, 'w', true);
    const measured = (await waysOf(data, dims)) ?? [];
    expect(foreseen.map(named)).toEqual(measured.map(named));
    for (const [at, { noise, way }] of foreseen.entries()) {
      expect(way.bytes).toBe(measured[at]?.way.bytes);
      if (way.kind !== 'float') expect(Math.abs(10 * Math.log10(noise / (measured[at]?.noise ?? 0)))).toBeLessThan(3);
    }
  });

  test('have no blocks without rows, and whole rows if no block size divides their length', async () => {
    const integers = async (dims: readonly number[], form?: Partial<StoredForm>) =>
      (
        (await waysOf(
          normal(
            dims.reduce((a, b) => a * b),
            4,
          ),
          dims,
          form,
        )) ?? []
      ).filter((one) => one.way.kind === 'integers');
    expect(await integers([8, 1024], { rows: undefined })).toHaveLength(1);
    expect(await integers([8, 1009])).toHaveLength(1);
    const whole = await measureWays(constant('w', 'float32', [8, 64], normal(512, 4)), FORM, 'w', false);
    expect(whole?.map(named)).toEqual([
      'int8 per channel, float32',
      'int8 in blocks of 32, float32',
      'int8 in blocks of 16, float16',
    ]);
  });
});

test('read nothing for a plan', async () => {
  const tensor = {
    ...constant('w', 'float32', [8, 1024], normal(8192, 4)),
    load: () => Promise.reject(new Error('read')),
  };
  const encoded = await encodeStored(tensor, coarsestWay([8, 1024], FORM), new Graph({}), 'w', true);
  expect(encoded?.scale.dims).toEqual([8]);
});

test('refuse NaN and infinity', async () => {
  const data = randomFloats([4, 16]);
  data[5] = Number.NaN;
  expect(await waysOf(data, [4, 16])).toBeUndefined();
  const tensor = constant('w', 'float32', [4, 16], data);
  expect(await encodeStored(tensor, coarsestWay([4, 16], FORM), new Graph({}), 'w')).toBeUndefined();
});
