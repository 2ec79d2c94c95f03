import type { Bracket, Within } from '../bracket.ts';
import type { Arena } from './arena.ts';
import { HISTOGRAM, HISTOGRAM_BYTES, RESULT } from './kernels.ts';

/** Counters have 32 bits; they are moved to float64 long before one can overflow. */
const FLUSH_AFTER: number = 2 ** 30;

/** Other results for one chunk, next to the counts. */
export interface TopCount {
  readonly zeros: number;
  readonly nans: number;
}

/**
 * Histograms for a radix selection over the magnitudes of float32 elements, in two passes over any number of chunks and
 * tensors: {@link addTop} for all, {@link takeTop}, then {@link addLow} for all with the found bin, {@link takeLow}. It
 * uses the arena's only counter area: one histogram per arena at a time, and one digit at a time.
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

  /** Counts, by their lower 16 bits, the elements whose upper bits, without the sign, are `top`. */
  addLow(data: number, length: number, top: number): void {
    this.#room(length, () => this.#fold(1));
    this.#arena.kernels.countLow(data, length, top);
  }

  /** The counts of {@link addTop}, [32768]; the counters are reset. */
  takeTop(): Float64Array {
    return this.#take(4);
  }

  /** The counts of {@link addLow}, [65536]; the counters are reset. */
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

  /** Moves the counters, `copies` per bin, to float64. */
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
 * Finds the bin of the `count`-th smallest element.
 * @param counts - elements by bin; `count` is at least 1 and at most their sum
 * @returns the bin, and the rank within it, counted from 1
 */
export function findBin(counts: Float64Array, count: number): { readonly bin: number; readonly left: number } {
  let bin = 0;
  let left = count;
  while (left > (counts[bin] as number)) left -= counts[bin++] as number;
  return { bin, left };
}

/** The result of {@link zeroBelow}. */
export interface Zeroed {
  /** Ties left for the chunks that follow. */
  readonly ties: number;
  /** Elements newly zeroed. */
  readonly lost: number;
}

/**
 * In place: elements of float32 [length] at offset `data` with a magnitude below `threshold` become 0, and so do the
 * first `ties` equal ones. NaN is above every threshold.
 * @param threshold - the bits of a float32 without the sign: `(top << 16) | low` of the radix selection
 */
export function zeroBelow(arena: Arena, data: number, length: number, threshold: number, ties: number): Zeroed {
  arena.kernels.zeroBelow(data, length, threshold, Math.min(ties, length));
  const [used = 0, lost = 0] = arena.uint32s(RESULT, 2);
  return { ties: ties - used, lost };
}

/**
 * Scans float32 [length] at offset `data`: counts the elements below a bracket, and collects those inside.
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
