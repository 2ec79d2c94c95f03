/** Weights that are stored as integers and computed with as float: as many scales as they need. */
import { describe, expect, test } from '@jest/globals';
import { Graph } from '../../src/ir/graph.ts';
import { constant } from '../../src/ir/tensor.ts';
import { decode } from '../../src/schemes/decode.ts';
import { encodedBytes } from '../../src/schemes/scheme.ts';
import { encodeStored, STORED_SQNR, type StoredForm } from '../../src/schemes/stored.ts';
import { randomFloats, seeded } from '../support/random.ts';

const FORM: StoredForm = {
  dtype: 'int8',
  coarsest: { kind: 'channel', axis: 0 },
  rows: 1,
  reduceRange: false,
  unread: false,
};

/** Nearly normal numbers: sums of uniform ones. */
function normal(count: number, seed: number): Float32Array {
  const next = seeded(seed);
  return Float32Array.from({ length: count }, () => Array.from({ length: 12 }, next).reduce((a, b) => a + b, -6));
}

async function stored(data: Float32Array, dims: readonly number[], form: Partial<StoredForm> = {}) {
  const tensor = constant('w', 'float32', dims, data);
  const encoded = await encodeStored(tensor, { ...FORM, ...form }, new Graph({}), 'w');
  if (encoded === undefined) return undefined;
  const reals: number[] = [];
  for await (const chunk of decode(encoded)()) reals.push(...chunk);
  const noise = reals.reduce((sum, real, at) => sum + (real - (data[at] as number)) ** 2, 0);
  const signal = data.reduce((sum, value) => sum + value * value, 0);
  return { encoded, sqnr: 10 * Math.log10(signal / noise) };
}

describe('as coarse as keeps enough', () => {
  test('a scale for each channel, where that does', async () => {
    const made = await stored(randomFloats([16, 8, 3, 3]), [16, 8, 3, 3]);
    expect(made?.encoded).toMatchObject({
      scheme: { name: 'int8 per channel' },
      scale: { dtype: 'float32', dims: [16] },
    });
    expect(made?.encoded.data.dims).toEqual([16, 8, 3, 3]);
    expect(made?.sqnr).toBeGreaterThan(STORED_SQNR);
  });

  test('blocks in float16 where a channel is too long for its steps', async () => {
    const made = await stored(normal(64 * 32 * 9, 2), [64, 32, 3, 3]);
    // 288 inputs of a filter: in blocks of 48, 32 or 16.
    expect(made?.encoded).toMatchObject({ shape: [64, 32, 3, 3], scale: { dtype: 'float16' } });
    const [rows, blocks, size] = made?.encoded.data.dims ?? [];
    expect([rows, (blocks ?? 0) * (size ?? 0)]).toEqual([64, 288]);
    expect(made?.encoded.scale.dims).toEqual([64, blocks]);
    expect(made?.sqnr).toBeGreaterThan(STORED_SQNR);
  });

  test('scales of blocks in a byte each where that is smaller: of each row a step, which they are multiples of', async () => {
    const made = await stored(normal(128 * 576, 5), [128, 64, 3, 3]);
    const [rows = 0, blocks = 0, size = 0] = made?.encoded.data.dims ?? [];
    expect([rows, blocks * size]).toEqual([128, 576]);
    const { storedScale } = made?.encoded ?? {};
    expect(storedScale?.data).toMatchObject({ name: 'w_scale_quantized', dtype: 'uint8', dims: [128, blocks, 1] });
    expect(storedScale?.scale).toMatchObject({ name: 'w_scale_scale', dtype: 'float32', dims: [128] });
    expect(made && encodedBytes(made.encoded)).toBe(128 * 576 + 128 * blocks + 4 * 128);
    expect(made?.sqnr).toBeGreaterThan(STORED_SQNR);
    // Of unsigned integers, which have zero points, scales are floats.
    expect(
      (await stored(normal(128 * 576, 5), [128, 64, 3, 3], { dtype: 'uint8' }))?.encoded.storedScale,
    ).toBeUndefined();
  });

  test('the narrowest blocks where nothing keeps enough', async () => {
    const data = normal(4 * 64, 3);
    for (let at = 0; at < data.length; at += 16) data[at] = 300;
    const made = await stored(data, [4, 64], { dtype: 'int8', reduceRange: true });
    expect(made?.encoded.scheme.name).toBe('int8 in blocks of 16');
    expect(made?.encoded.data.dims).toEqual([4, 4, 16]);
  });

  test('small numbers: scales too small for float16 stay float32', async () => {
    const data = normal(64 * 288, 2).map((value) => value * 1e-6);
    const made = await stored(data, [64, 288]);
    expect(made?.encoded.scale.dtype).toBe('float32');
    expect(made?.sqnr).toBeGreaterThan(STORED_SQNR);
  });
});

test('no rows, no blocks; unread, no look; a size that nothing divides stays one row', async () => {
  const data = normal(8 * 1024, 4);
  expect((await stored(data, [8, 1024], { rows: undefined }))?.encoded.scale.dims).toEqual([8]);
  const unread = await encodeStored(
    constant('w', 'float32', [8, 1024], data),
    { ...FORM, unread: true },
    new Graph({}),
    'w',
  );
  expect(unread?.scale.dims).toEqual([8]);
  expect((await stored(normal(8 * 1009, 5), [8, 1009]))?.encoded.scale.dims).toEqual([8]);
});

test('NaN and infinity are refused', async () => {
  const data = randomFloats([4, 16]);
  data[5] = Number.NaN;
  expect(await stored(data, [4, 16])).toBeUndefined();
});
