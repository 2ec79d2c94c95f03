/** Tensors computed in chunks straight from the file equal the reference for the whole tensor, bit for bit. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Source } from '../../src/bytes/source.ts';
import type { Streamed } from '../../src/bytes/stored.ts';
import { copied } from '../../src/compute/copy.ts';
import { quantizedStream, rangeOfStored, transposedStream } from '../../src/compute/linear.ts';
import { StoredMagnitudes } from '../../src/compute/magnitude.ts';
import { joined, SAMPLE_PIECE, thresholdWithin } from '../../src/kernels/bracket.ts';
import { magnitudeReference, reference } from '../../src/kernels/choose.ts';
import { channelLayout } from '../../src/kernels/layout.ts';
import { linearParams } from '../../src/kernels/linear.ts';
import { selectThreshold } from '../../src/kernels/magnitude.ts';
import { cut, spans } from '../../src/kernels/slices.ts';
import { toFloat32 } from '../../src/kernels/views.ts';
import { fileSource } from '../../src/node/files/source.ts';
import { Segment } from '../../src/onnx/segment.ts';
import { randomFloats } from '../support/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'compress-test-'));
const DIMS = [520, 1031] as const;
const data = randomFloats([...DIMS]);

/** The tensor does not begin at the start of the file. */
const BEFORE = 12;
let source: Source;

beforeAll(async () => {
  // Equal magnitudes on both sides of the threshold, of either sign: ties must go to the lower index.
  for (let index = 0; index < data.length; index += 7) data[index] = index % 2 === 0 ? 0.25 : -0.25;
  const path = join(folder, 'weights');
  writeFileSync(path, Buffer.concat([Buffer.alloc(BEFORE), Buffer.from(data.buffer)]));
  source = await fileSource(path);
});
afterAll(async () => {
  await source.close();
  rmSync(folder, { recursive: true, force: true });
});

const whole = (): Segment => new Segment(source, BEFORE, BEFORE + data.byteLength);

async function gathered(stream: Streamed): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream.chunks()) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** What this thread alone writes after three bytes of a file: at a given position, or appended. */
async function written(stream: Streamed, placed: boolean): Promise<Buffer> {
  const path = join(folder, 'out');
  const fd = openSync(path, 'w+');
  try {
    writeSync(fd, 'abc');
    await stream.writeTo({ fd, position: placed ? 3 : undefined });
    if (!placed) writeSync(fd, 'xyz');
  } finally {
    closeSync(fd);
  }
  const all = readFileSync(path);
  expect(all.subarray(0, 3).toString()).toBe('abc');
  if (!placed) expect(all.subarray(-3).toString()).toBe('xyz');
  return all.subarray(3, placed ? undefined : -3);
}

test('writes the bytes of the chunks from file to file, and lets other tasks run meanwhile', async () => {
  const layout = channelLayout(DIMS, 1);
  const params = linearParams(
    reference.rangeOf(data, layout) as NonNullable<ReturnType<typeof reference.rangeOf>>,
    'symmetric',
    127,
  );
  const streams = [
    quantizedStream(whole(), { format: 'float32', layout }, params),
    transposedStream(whole(), 'float32', DIMS, { ...params, scale: params.scale.slice(0, 1) }),
    copied(whole()),
  ];
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  try {
    for (const stream of streams) {
      expect(stream.fromFile()).toBe(true);
      const expected = await gathered(stream);
      for (const placed of [true, false]) {
        for (let round = 0; round < 20; round++) {
          const made = await written(stream, placed);
          if (round === 0) expect(made.equals(expected)).toBe(true);
        }
      }
    }
  } finally {
    clearInterval(timer);
  }
  expect(turns).toBeGreaterThan(10);
});

test('a failed write keeps its error code, and nothing waits for its turn for ever', async () => {
  const fd = openSync(join(folder, 'weights'), 'r');
  for (const position of [0, undefined]) {
    const failed = copied(whole()).writeTo({ fd, position });
    await expect(failed).rejects.toMatchObject({ code: 'EBADF' });
  }
  closeSync(fd);
});

describe.each([0, 1, undefined])('along axis %p', (axis) => {
  const layout = channelLayout(DIMS, axis);

  test('range and integers of float32', async () => {
    const range = reference.rangeOf(data, layout);
    expect(await rangeOfStored(whole(), { format: 'float32', layout })).toEqual(range);
    const params = linearParams(range as NonNullable<typeof range>, 'asymmetric', 255);
    const expected = reference.quantizeLinear(data, layout, params);
    const made = await gathered(quantizedStream(whole(), { format: 'float32', layout }, params));
    expect(made.equals(Buffer.from(expected))).toBe(true);
  });

  test.each(['float16', 'bfloat16'] as const)('the same bytes read as %s', async (format) => {
    // Bytes of float32 are also 16-bit floats of any kind; those that are not finite are replaced.
    const bits = new Uint16Array(Uint8Array.from(Buffer.from(data.buffer)).buffer);
    for (let index = 0; index < bits.length; index++) bits[index] = (bits[index] as number) & 0xbbff;
    const path = join(folder, `halves-${format}-${axis}`);
    writeFileSync(path, bits);
    const file = await fileSource(path);
    try {
      const stored = new Segment(file, 0, bits.byteLength);
      const shape = channelLayout([DIMS[0] * 2, DIMS[1]], axis);
      const floats = toFloat32(new Uint8Array(bits.buffer), format);
      const range = reference.rangeOf(floats, shape);
      expect(await rangeOfStored(stored, { format, layout: shape })).toEqual(range);
      const params = linearParams(range as NonNullable<typeof range>, 'symmetric', 127);
      const made = await gathered(quantizedStream(stored, { format, layout: shape }, params));
      expect(made.equals(Buffer.from(reference.quantizeLinear(floats, shape, params)))).toBe(true);
    } finally {
      await file.close();
    }
  });
});

test.each([0, undefined])('transposed, scales along %p', async (axis) => {
  const [rows, columns] = DIMS;
  const range = reference.rangeOf(data, channelLayout(DIMS, axis));
  const params = linearParams(range as NonNullable<typeof range>, 'symmetric', 127);
  const made = await gathered(transposedStream(whole(), 'float32', [rows, columns], params));
  expect(made.equals(Buffer.from(reference.quantizeTransposed(data, rows, columns, params)))).toBe(true);
});

test.each([1, 100, 200_000, 260_000, data.length])(
  'the %p smallest are pruned as the reference prunes them',
  async (count) => {
    const held = { words: new Uint16Array(data.slice().buffer), width: 2 };
    async function* once<T>(value: T): AsyncGenerator<T> {
      yield value;
    }
    const expected = await selectThreshold(() => once(held), 2, count, magnitudeReference.addDigits);
    const magnitudes = new StoredMagnitudes(whole());
    const found = await selectThreshold(
      () => once(magnitudes),
      2,
      count,
      (into, one, prefix) => one.addDigits(into, prefix),
    );
    expect(found).toEqual(expected);
    // The same after one pass with a bracket, whether the threshold is inside it or not.
    const bits = (expected.key[0] as number) * 65536 + (expected.key[1] as number);
    for (const bracket of [
      { low: bits, high: bits },
      { low: Math.max(1, bits - 90_000), high: bits + 1 },
      { low: bits + 1, high: bits + 9 },
    ]) {
      const surveyed = new StoredMagnitudes(whole());
      const parts = await surveyed.survey(bracket);
      if (bits <= bracket.high && bits >= bracket.low) expect(thresholdWithin(parts, count)).toEqual(expected);
      else expect(thresholdWithin(parts, count)).toBeUndefined();
      expect(await magnitudes.countSpecial()).toMatchObject(await surveyed.countSpecial());
      const pruned = await surveyed.prune({ ...expected });
      expect(pruned.lost).toBe(magnitudeReference.zeroInPlace({ ...held, words: held.words.slice() }, { ...expected }));
    }
    const { lost, stream } = await magnitudes.prune(found);
    const lostByReference = magnitudeReference.zeroInPlace(held, expected);
    expect(lost).toBe(lostByReference);
    expect((await gathered(stream)).equals(Buffer.from(held.words.buffer))).toBe(true);
  },
);

test('a sample has the magnitudes from each start on', async () => {
  const sample = await new StoredMagnitudes(whole()).sample([0, 1000, data.length - SAMPLE_PIECE]);
  const bits = new Uint32Array(data.slice().buffer).map((one) => one & 0x7fffffff);
  const pieces = [0, 1000, data.length - SAMPLE_PIECE].map((start) => bits.slice(start, start + SAMPLE_PIECE));
  expect(sample).toEqual(joined(pieces));
});

test('detects NaN in the last element', async () => {
  const path = join(folder, 'nan');
  const bad = data.slice();
  bad[bad.length - 1] = Number.NaN;
  writeFileSync(path, bad);
  const file = await fileSource(path);
  const stored = new Segment(file, 0, bad.byteLength);
  expect(await rangeOfStored(stored, { format: 'float32', layout: channelLayout(DIMS, 0) })).toBeUndefined();
  expect((await new StoredMagnitudes(stored).countSpecial()).nans).toBe(1);
  await file.close();
});

describe('slices', () => {
  const size = fc.integer({ min: 1, max: 40 });

  test('cover a tensor in order, each element once, with the right channels', () => {
    fc.assert(
      fc.property(size, size, size, fc.integer({ min: 1, max: 9 }), (outer, channels, inner, count) => {
        const slices = cut({ outer, channels, inner }, count);
        expect(slices.length).toBeLessThanOrEqual(count);
        let next = 0;
        for (const { start, channel, layout } of slices) {
          expect(start).toBe(next);
          const length = layout.outer * layout.channels * layout.inner;
          expect(length).toBeGreaterThan(0);
          const channelOf = (index: number): number => Math.floor(index / inner) % channels;
          const within = (index: number): number => Math.floor(index / layout.inner) % layout.channels;
          const wrong = [...Array(length).keys()].find((index) => channel + within(index) !== channelOf(start + index));
          expect(wrong).toBeUndefined();
          next += length;
        }
        expect(next).toBe(outer * channels * inner);
      }),
      { numRuns: 60 },
    );
  });

  test('are not more than there are elements', () => {
    expect(spans(2, 4)).toEqual([
      { start: 0, length: 1 },
      { start: 1, length: 1 },
    ]);
    expect(spans(0, 4)).toEqual([]);
  });
});
