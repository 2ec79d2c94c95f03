import type { Stored, Streamed } from '../ir/tensor.ts';
import type { Threshold } from '../kernels/magnitude.ts';
import type { Counts } from '../kernels/magnitudeSteps.ts';
import { type Span, spans } from '../kernels/slices.ts';
import { type Part, runParts } from './run.ts';
import { streamOf } from './stream.ts';
import { partsFor } from './work.ts';

/** Bytes of second digits, of all tensors together, that are kept from the selection to the pruning; others are counted again. */
const KEPT_BYTES: number = 48 << 20;
let keptBytes = 0;

/** Counts that are not zero, by bin: a weight has a few thousand different first digits. */
interface Sparse {
  readonly bins: Uint16Array;
  readonly counts: Float64Array;
}

/** The first digits of all elements, and what else the look at them told. */
interface Top extends Sparse {
  readonly zeros: number;
  readonly nans: number;
}

/** The second digits of those elements whose first one is `top`, part by part. */
interface Low {
  readonly top: number;
  readonly counts: readonly Counts[];
}

/**
 * The magnitudes of a float32 tensor where it lies, for a radix selection that reads it twice, and once more when it is
 * written. Counts of its parts are kept apart, so that every part knows how many ties lie before it.
 */
export class StoredMagnitudes {
  readonly width = 2;
  readonly #stored: Stored;
  readonly #parts: readonly Span[];
  #top: Top | undefined;
  #low: Low | undefined;

  constructor(stored: Stored) {
    this.#stored = stored;
    this.#parts = spans(stored.byteLength / 4, partsFor(stored));
  }

  /** How many elements are zero, and how many NaN. */
  async countSpecial(): Promise<{ readonly zeros: number; readonly nans: number }> {
    this.#top ??= await this.#countTop();
    return this.#top;
  }

  /** Adds the next digit of every element whose digits so far are `prefix` (none, or the upper 16 bits). */
  async addDigits(into: Float64Array, prefix: readonly number[]): Promise<void> {
    const [top] = prefix;
    if (top !== undefined) {
      for (const counts of (await this.#lowUnder(top)).counts) add(into, counts);
      return;
    }
    this.#top ??= await this.#countTop();
    const { bins, counts } = this.#top;
    for (let index = 0; index < bins.length; index++) {
      const bin = bins[index] as number;
      into[bin] = (into[bin] as number) + (counts[index] as number);
    }
  }

  /** Takes this tensor's ties off the threshold; gives the tensor pruned, and how many elements are lost by it. */
  async prune(threshold: Threshold): Promise<{ readonly lost: number; readonly stream: Streamed }> {
    const [top = 0, low = 0] = threshold.key;
    const { counts } = await this.#lowUnder(top);
    const ties = counts.map((one) => {
      const taken = Math.min(threshold.ties, one[low] as number);
      threshold.ties -= taken;
      return taken;
    });
    const taken = ties.reduce((sum, one) => sum + one, 0);
    // Zeros are below every threshold but 0 itself, under which nothing is lost.
    const lost = top === 0 && low === 0 ? 0 : (await this.#below(top, low, counts)) + taken;
    if (this.#low !== undefined) keptBytes -= bytesOf(this.#low);
    this.#low = undefined;
    const job = ({ start, length }: Span, left: number): Part<'zero'> => ({
      job: { kind: 'zero', elements: length, threshold: top * 65536 + low, ties: left },
      start: 4 * start,
      at: 4 * start,
    });
    const whole = { start: 0, length: this.#stored.byteLength / 4 };
    const parts = this.#parts;
    const stream = streamOf<'zero'>(this.#stored, (count) =>
      count === 1 ? [job(whole, taken)] : parts.map((part, index) => job(part, ties[index] as number)),
    );
    return { lost, stream };
  }

  /** Elements below the threshold that are not zero. */
  async #below(top: number, low: number, lows: readonly Counts[]): Promise<number> {
    this.#top ??= await this.#countTop();
    const { bins, counts, zeros } = this.#top;
    let below = -zeros;
    for (let index = 0; index < bins.length; index++)
      if ((bins[index] as number) < top) below += counts[index] as number;
    for (const one of lows) for (let bin = 0; bin < low; bin++) below += one[bin] as number;
    return below;
  }

  async #countTop(): Promise<Top> {
    const parts = this.#parts.map(
      ({ start, length }): Part<'top'> => ({ job: { kind: 'top', elements: length }, start: 4 * start, at: 0 }),
    );
    const results = await runParts<'top'>(this.#stored, parts);
    const all = new Float64Array(1 << 15);
    for (const one of results) add(all, one.counts);
    const bins = Uint16Array.from([...all.keys()].filter((bin) => all[bin] !== 0));
    const sum = (pick: 'zeros' | 'nans'): number => results.reduce((total, one) => total + one[pick], 0);
    return {
      bins,
      counts: Float64Array.from(bins, (bin) => all[bin] as number),
      zeros: sum('zeros'),
      nans: sum('nans'),
    };
  }

  async #lowUnder(top: number): Promise<Low> {
    if (this.#low?.top === top) return this.#low;
    const parts = this.#parts.map(
      ({ start, length }): Part<'low'> => ({ job: { kind: 'low', elements: length, top }, start: 4 * start, at: 0 }),
    );
    const counted = await runParts<'low'>(this.#stored, parts);
    const low = { top, counts: counted };
    if (keptBytes + bytesOf(low) <= KEPT_BYTES) {
      keptBytes += bytesOf(low);
      this.#low = low;
    }
    return low;
  }
}

function bytesOf({ counts }: Low): number {
  return counts.reduce((sum, one) => sum + one.byteLength, 0);
}

function add(into: Float64Array, counts: ArrayLike<number>): void {
  for (let bin = 0; bin < counts.length; bin++) into[bin] = (into[bin] as number) + (counts[bin] as number);
}
