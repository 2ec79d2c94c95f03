import type { Magnitudes, Threshold } from './magnitude.ts';
import { Arena } from './simd/arena.ts';
import { MagnitudeHistogram, zeroBelow } from './simd/magnitude.ts';

/**
 * The kernels of magnitude.ts for float32 tensors, computed chunk by chunk in WebAssembly. Results are those of the
 * reference; tests hold both together.
 */

/** Elements that are in the arena at a time: 1 MiB. */
const CHUNK: number = 1 << 18;

let arena: Arena | undefined;
let chunkOffset = 0;
let histogram: MagnitudeHistogram | undefined;

/** Puts float32 elements into the arena, a chunk at a time; `back` brings them home again. */
function each(words: Uint16Array, back: boolean, work: (offset: number, length: number, all: Arena) => void): void {
  if (arena === undefined) {
    arena = new Arena();
    chunkOffset = arena.allocate(CHUNK * 4);
  }
  for (let at = 0; at < words.length; at += CHUNK * 2) {
    const chunk = words.subarray(at, at + CHUNK * 2);
    const held = new Uint16Array(arena.bytes(chunkOffset, chunk.length * 2).buffer, chunkOffset, chunk.length);
    held.set(chunk);
    work(chunkOffset, chunk.length / 2, arena);
    if (back) chunk.set(held);
  }
}

function counter(all: Arena): MagnitudeHistogram {
  histogram ??= new MagnitudeHistogram(all);
  return histogram;
}

/** How many elements are zero, and how many NaN. */
export function countSpecial({ words }: Magnitudes): { readonly zeros: number; readonly nans: number } {
  let zeros = 0;
  let nans = 0;
  each(words, false, (offset, length, all) => {
    const counted = counter(all).addTop(offset, length);
    zeros += counted.zeros;
    nans += counted.nans;
  });
  histogram?.takeTop();
  return { zeros, nans };
}

/** Adds the next digit of every element whose digits so far are `prefix` (none, or the upper 16 bits). */
export function addDigits(into: Float64Array, { words }: Magnitudes, prefix: readonly number[]): void {
  const [top] = prefix;
  each(words, false, (offset, length, all) => {
    if (top === undefined) counter(all).addTop(offset, length);
    else counter(all).addLow(offset, length, top);
  });
  const counts = top === undefined ? histogram?.takeTop() : histogram?.takeLow();
  counts?.forEach((count, bin) => {
    into[bin] = (into[bin] as number) + count;
  });
}

/** In place: what lies below the threshold becomes 0, and the ties left of what equals it. Gives how many were not 0 before. */
export function zeroInPlace({ words }: Magnitudes, threshold: Threshold): number {
  const [top = 0, low = 0] = threshold.key;
  let lost = 0;
  each(words, true, (offset, length, all) => {
    const zeroed = zeroBelow(all, offset, length, top * 65536 + low, threshold.ties);
    threshold.ties = zeroed.ties;
    lost += zeroed.lost;
  });
  return lost;
}
