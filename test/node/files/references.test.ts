/** A source with bytes in other files gives the same as a single file with all of them, however it is read. */
import { closeSync, mkdtempSync, openSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Source } from '../../../src/bytes/source.ts';
import type { Place } from '../../../src/bytes/stored.ts';
import { belowThreshold } from '../../../src/kernels/magnitude.ts';
import {
  canRefer,
  openReferences,
  type Reference,
  ReferenceList,
  referringSource,
} from '../../../src/node/files/references.ts';
import { fileSource } from '../../../src/node/files/source.ts';
import { Segment } from '../../../src/onnx/segment.ts';

const folder = mkdtempSync(join(tmpdir(), 'compress-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const linux = process.platform === 'linux' ? describe : describe.skip;

/** Values with many ties, zeros of both signs and NaN. */
const VALUES = Float32Array.from(
  { length: 3000 },
  (_, index) => [0.5, -0.25, 0, -0, 1, Number.NaN, 0.25][(index * 5) % 7] ?? 0,
);
const QUARTER = 0x3e800000;

/** The elements after pruning below a threshold, and the byte of the file before which ties are taken. */
function pruned(from: number, length: number, ties: number): { bytes: Uint8Array; until: number } {
  const data = VALUES.slice(from, from + length);
  const words = new Uint16Array(data.buffer);
  let last = -1;
  const left = { key: [QUARTER >>> 16, QUARTER & 0xffff], ties };
  const held = data.slice();
  belowThreshold({ words, width: 2 }, left, (index) => {
    if (Math.abs(held[index] as number) === 0.25) last = index;
    data[index] = 0;
  });
  return { bytes: new Uint8Array(data.buffer), until: 12 + 4 * (from + last + 1) };
}

const original = join(folder, 'original');
writeFileSync(original, Buffer.concat([Buffer.from('twelve bytes'), new Uint8Array(VALUES.buffer)]));

/** A file of 20,000 bytes with three holes, and the bytes that belong into them. */
function holes(fd: number): { text: string; expected: Buffer; references: Reference[] } {
  const expected = Buffer.alloc(20_000, 7);
  const zeros = pruned(100, 1500, 99);
  const none = pruned(0, 40, 0);
  const references: Reference[] = [
    { at: 5, byteLength: 6000, place: { fd, position: 12 + 400, zeroed: { below: QUARTER, until: zeros.until } } },
    { at: 6005, byteLength: 160, place: { fd, position: 12, zeroed: { below: QUARTER, until: none.until } } },
    { at: 9000, byteLength: 777, place: { fd, position: 3 } },
  ];
  expected.set(zeros.bytes, 5);
  expected.set(none.bytes, 6005);
  expected.set(Buffer.concat([Buffer.from('twelve bytes'), new Uint8Array(VALUES.buffer)]).subarray(3, 780), 9000);
  const base = Buffer.alloc(20_000, 7);
  for (const { at, byteLength } of references) base.fill(0, at, at + byteLength);
  writeFileSync(join(folder, 'base'), base);
  const list = new ReferenceList();
  for (const one of references) list.add(one);
  return { text: list.text(), expected, references };
}

async function opened(): Promise<{ source: Source; expected: Buffer; done: () => Promise<void> }> {
  const fd = openSync(original, 'r');
  const { text, expected } = holes(fd);
  const base = await fileSource(join(folder, 'base'));
  const source = referringSource(base, await openReferences(text, process.pid, base.byteLength));
  return {
    source,
    expected,
    async done() {
      await source.close();
      closeSync(fd);
    },
  };
}

linux('a source with references', () => {
  test('reads all bytes, and those of any range', async () => {
    const { source, expected, done } = await opened();
    expect(Buffer.from(await source.read(0, source.byteLength)).equals(expected)).toBe(true);
    const ends = fc.tuple(fc.nat({ max: 20_000 }), fc.nat({ max: 20_000 }));
    await fc.assert(
      fc.asyncProperty(ends, fc.nat({ max: 3 }), async ([one, other], shift) => {
        const [start, end] = [Math.min(one, other), Math.max(one, other)];
        const wanted = expected.subarray(start, end);
        expect(Buffer.from(await source.read(start, end)).equals(wanted)).toBe(true);
        // Unaligned memory, with bytes around it that must not change.
        const memory = Buffer.alloc(end - start + 8, 9);
        await source.readInto?.(memory.subarray(shift, shift + end - start), start);
        expect(memory.subarray(shift, shift + end - start).equals(wanted)).toBe(true);
        expect(
          [...memory.subarray(0, shift), ...memory.subarray(shift + end - start)].every((byte) => byte === 9),
        ).toBe(true);
      }),
      { numRuns: 500 },
    );
    await expect(source.read(19_999, 20_001)).rejects.toThrow('the file has 20000');
    await source.unchanged?.();
    await done();
  });

  test('gives the place of contiguous bytes, and of zeros that are whole elements', async () => {
    const { source, done } = await opened();
    const zeroed = (start: number, end: number): Place | undefined => source.files?.place(start, end);
    expect(zeroed(5, 6005)).toMatchObject({ position: 412, zeroed: { below: QUARTER } });
    expect(zeroed(9, 13)).toMatchObject({ position: 416, zeroed: { below: QUARTER } });
    expect([zeroed(6, 10), zeroed(5, 8), zeroed(4, 9), zeroed(5, 6009), zeroed(8999, 9010)]).toEqual(
      Array(5).fill(undefined),
    );
    expect(zeroed(9001, 9004)).toMatchObject({ position: 4 });
    expect(zeroed(9001, 9004)?.zeroed).toBeUndefined();
    expect(zeroed(10_000, 20_000)).toMatchObject({ position: 10_000 });
    expect(source.files?.fd).toBeUndefined();
    await done();
  });

  test('splits a range where bytes come from another file, so that each piece is contiguous', async () => {
    const { source, done } = await opened();
    expect(source.files?.borders(0, 20_000)).toEqual([5, 6005, 6005, 6165, 9000, 9777]);
    expect([source.files?.borders(5, 6005), source.files?.borders(10_000, 20_000)]).toEqual([[], []]);
    const pieces = new Segment(source, 2, 19_000).pieces();
    expect(pieces.map(({ start, end }) => [start, end])).toEqual([
      [2, 5],
      [5, 6005],
      [6005, 6165],
      [6165, 9000],
      [9000, 9777],
      [9777, 19_000],
    ]);
    expect(pieces.every(({ file }) => file !== undefined)).toBe(true);
    await done();
  });

  test('detects that a file was changed', async () => {
    const { source, done } = await opened();
    utimesSync(original, 1, 1);
    await expect(source.unchanged?.()).rejects.toThrow('was changed while it was being read');
    await done();
  });
});

linux('references are refused', () => {
  const files = (text: string): { files: object[]; references: Reference[] } => JSON.parse(text);
  const cases: [string, (one: ReturnType<typeof files>) => void][] = [
    ['a file that is not open', (all) => Object.assign(all.files[0] as object, { fd: 9999 })],
    ['another file', (all) => Object.assign(all.files[0] as object, { ino: 1 })],
    ['a file of another size', (all) => Object.assign(all.files[0] as object, { size: 1e6 })],
    ['one behind the end of the model', (all) => Object.assign(all.references[2] as object, { at: 19_500 })],
    ['two of the same bytes', (all) => Object.assign(all.references[1] as object, { at: 6000 })],
    ['one that leaves its file', (all) => Object.assign((all.references[2] as Reference).place, { position: 1e5 })],
    ['a place before the file', (all) => Object.assign((all.references[2] as Reference).place, { position: -1 })],
    ['half a byte', (all) => Object.assign(all.references[2] as object, { byteLength: 0.5 })],
    ['half an element', (all) => Object.assign(all.references[1] as object, { byteLength: 158 })],
    [
      'a magnitude that is none',
      (all) => Object.assign((all.references[0] as Reference).place, { zeroed: { below: 2 ** 31, until: 0 } }),
    ],
    ['a path instead of a descriptor', (all) => Object.assign(all.files[0] as object, { fd: '../../../etc/passwd' })],
    [
      'ties that end within an element',
      (all) => Object.assign((all.references[0] as Reference).place.zeroed as object, { until: 415 }),
    ],
    ['no files', (all) => Object.assign(all, { files: 7 })],
    ['a reference that is none', (all) => Object.assign(all.references, { 0: null })],
    ['a file nobody named', (all) => Object.assign((all.references[0] as Reference).place, { fd: 4711 })],
  ];
  test.each(cases)('%s', async (_, change) => {
    const fd = openSync(original, 'r');
    const all = files(holes(fd).text);
    change(all);
    await expect(openReferences(JSON.stringify(all), process.pid, 20_000)).rejects.toMatchObject({ code: 'io' });
    closeSync(fd);
  });

  test('refuses references to anything but files', () => {
    const fd = openSync('/dev/null', 'r');
    expect([canRefer(fd), canRefer(99_999)]).toEqual([false, false]);
    closeSync(fd);
  });
});
