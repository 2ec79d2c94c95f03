import type { Bracket, Within } from '../bracket.ts';
import type { Arena } from './arena.ts';
import { HISTOGRAM, HISTOGRAM_BYTES, RESULT } from './kernels.ts';

/** Counters hold 32 bits; long before one can overflow they are emptied into float64. */
const FLUSH_AFTER: number = 2 ** 30;

/** What one chunk held beside the counts. */
export interface TopCount {
  readonly zeros: number;
  readonly nans: number;
}

/**
 * Histograms for a radix selection over the magnitudes of float32 elements, in two passes over any number of chunks and
 * tensors: {@link addTop} for all, {@link takeTop}, then {@link addLow} for all with the bin found, {@link takeLow}.
 * Lives in the arena's one counter area: one histogram an arena at a time, and one digit at a time.
 */
export class MagnitudeHistogram {
  readonly #arena: Arena;
  #pending = 0;
  #kept: Float64Array | undefined;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#clear();
  }

  /** Counts float32 [length] at offset `data` by their upper 16 bits without the sign. */
  addTop(data: number, length: number): TopCount {
    this.#room(length, () => this.#fold(4));
    this.#arena.kernels.countTop(data, length);
    const [zeros = 0, nans = 0] = this.#arena.uint32s(RESULT, 2);
    return { zeros, nans };
  }

  /** Counts, by their lower 16 bits, those elements whose upper ones, without the sign, are `top`. */
  addLow(data: number, length: number, top: number): void {
    this.#room(length, () => this.#fold(1));
    this.#arena.kernels.countLow(data, length, top);
  }

  /** The counts of {@link addTop}, [32768]; counting starts again. */
  takeTop(): Float64Array {
    return this.#take(4);
  }

  /** The counts of {@link addLow}, [65536]; counting starts again. */
  takeLow(): Float64Array {
    return this.#take(1);
  }

  #take(copies: 1 | 4): Float64Array {
    this.#fold(copies);
    const counts = this.#kept as Float64Array;
    this.#kept = undefined;
    return counts;
  }

  #room(length: number, fold: () => void): void {
    if (this.#pending + length > FLUSH_AFTER) fold();
    this.#pending += length;
  }

  /** Empties the counters, `copies` of each bin, into float64. */
  #fold(copies: 1 | 4): void {
    const bins = copies === 4 ? 32_768 : 65_536;
    this.#kept ??= new Float64Array(bins);
    const counters = this.#arena.uint32s(HISTOGRAM, bins * copies);
    for (let index = 0; index < counters.length; index++) {
      const bin = copies === 4 ? index >>> 2 : index;
      this.#kept[bin] = (this.#kept[bin] as number) + (counters[index] as number);
    }
    this.#clear();
  }

  #clear(): void {
    this.#arena.bytes(HISTOGRAM, HISTOGRAM_BYTES).fill(0);
    this.#pending = 0;
  }
}

/**
 * Where the `count`-th smallest element lies.
 * @param counts - elements by bin; `count` is at least 1 and at most their sum
 * @returns the bin, and which of its elements it is, counted from 1
 */
export function findBin(counts: Float64Array, count: number): { readonly bin: number; readonly left: number } {
  let bin = 0;
  let left = count;
  while (left > (counts[bin] as number)) left -= counts[bin++] as number;
  return { bin, left };
}

/** What {@link zeroBelow} did. */
export interface Zeroed {
  /** Ties still to be given to the chunks that follow. */
  readonly ties: number;
  /** Elements that are zero now and were not before. */
  readonly lost: number;
}

/**
 * In place: elements of float32 [length] at offset `data` with a magnitude below `threshold` become 0, and of the equal
 * ones the first `ties`. NaN is above every threshold.
 * @param threshold - the bits of a float32 without the sign: `(top << 16) | low` of the radix selection
 */
export function zeroBelow(arena: Arena, data: number, length: number, threshold: number, ties: number): Zeroed {
  arena.kernels.zeroBelow(data, length, threshold, Math.min(ties, length));
  const [used = 0, lost = 0] = arena.uint32s(RESULT, 2);
  return { ties: ties - used, lost };
}

/**
 * Looks at float32 [length] at offset `data`: counts what lies below a bracket, and collects what lies inside.
 * @param out - offset of u32 [room], filled from its start
 */
export function countWithin(
  arena: Arena,
  data: number,
  length: number,
  { low, high }: Bracket,
  out: number,
  room: number,
): Omit<Within, 'inside'> {
  arena.kernels.countWithin(data, length, low, high, out, room);
  const [below = 0, zeros = 0, nans = 0, count = 0] = arena.uint32s(RESULT, 4);
  return { below, zeros, nans, count };
}
