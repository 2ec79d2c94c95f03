import type { Bracket, Within } from './bracket.ts';
import { withinSteps } from './bracketSteps.ts';
import type { Magnitudes, Threshold } from './magnitude.ts';
import { lowSteps, topSteps, zeroSteps } from './magnitudeSteps.ts';
import { Arena } from './simd/arena.ts';
import { perform, type Steps, type Transfer } from './steps.ts';

/**
 * The kernels of magnitude.ts for float32 tensors in memory, computed chunk by chunk in WebAssembly. Results equal
 * those of the reference; tests compare the two.
 */

let shared: Arena | undefined;

/** Runs a computation over the elements in this module's only arena, and frees what it allocated. */
function over<T>({ words }: Magnitudes, work: (arena: Arena, elements: number) => Steps<T>): T {
  shared ??= new Arena();
  const mark = shared.mark();
  const held = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const read: Transfer = (bytes, at) => bytes.set(held.subarray(at, at + bytes.length));
  try {
    return perform(work(shared, words.length / 2), read, (bytes, at) => held.set(bytes, at));
  } finally {
    shared.release(mark);
  }
}

/** The number of zeros and the number of NaN. */
export function countSpecial(magnitudes: Magnitudes): { readonly zeros: number; readonly nans: number } {
  const { zeros, nans } = over(magnitudes, topSteps);
  return { zeros, nans };
}

/** Counts the next digit of every element whose digits so far are `prefix` (none, or the upper 16 bits). */
export function addDigits(into: Float64Array, magnitudes: Magnitudes, prefix: readonly number[]): void {
  const [top] = prefix;
  const counts =
    top === undefined
      ? over(magnitudes, topSteps).counts
      : over(magnitudes, (arena, elements) => lowSteps(arena, elements, top));
  counts.forEach((count, bin) => {
    into[bin] = (into[bin] as number) + count;
  });
}

/** Counts the elements below a bracket and collects those inside, up to the available space. */
export function within(magnitudes: Magnitudes, bracket: Bracket): Within {
  return over(magnitudes, (arena, elements) => withinSteps(arena, elements, bracket));
}

/** In place: elements below the threshold become 0, and so do the first ties. Returns how many were nonzero before. */
export function zeroInPlace(magnitudes: Magnitudes, threshold: Threshold): number {
  const [top = 0, low = 0] = threshold.key;
  const { lost, used } = over(magnitudes, (arena, elements) =>
    zeroSteps(arena, elements, top * 65536 + low, threshold.ties),
  );
  threshold.ties -= used;
  return lost;
}
