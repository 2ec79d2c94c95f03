import type { Place, Stored, Streamed } from '../bytes/stored.ts';
import { type Bracket, joined, type Within } from '../kernels/bracket.ts';
import type { Threshold } from '../kernels/magnitude.ts';
import type { Counts } from '../kernels/magnitudeSteps.ts';
import { type BelowAndEqual, belowAndEqual } from '../kernels/order.ts';
import type { ThresholdSelection } from '../kernels/selectSteps.ts';
import { type Span, spans } from '../kernels/slices.ts';
import { isLarge, type Part, partsFor } from './executor.ts';
import { fileExecutorOf, runParts } from './here.ts';
import { streamOf } from './stream.ts';

/**
 * Bytes of second-digit counts, for all tensors together, that are kept from selection to pruning; others are counted
 * again.
 */
const KEPT_BYTES: number = 48 << 20;
let keptBytes = 0;

/** Nonzero counts by bin: a weight has a few thousand different first digits. */
interface Sparse {
  readonly bins: Uint16Array;
  readonly counts: Float64Array;
}

/** The first digits of all elements, and other results of the same pass over them. */
interface Top extends Sparse {
  readonly zeros: number;
  readonly nans: number;
}

/** The second digits of the elements whose first digit is `top`, by part. */
interface Low {
  readonly top: number;
  readonly counts: readonly Counts[];
}

/**
 * The magnitudes of a stored float32 tensor, for a radix selection. It reads the tensor twice, and once more when it is
 * written. Counts are kept per part, so that every part knows how many ties precede it.
 */
export class StoredMagnitudes {
  readonly width = 2;
  readonly #stored: Stored;
  readonly #parts: readonly Span[];
  #top: Top | undefined;
  #low: Low | undefined;
  #within: readonly Within[] | undefined;
  #selection: ThresholdSelection | undefined;
  #bracket: Bracket = { low: 1, high: 0 };

  constructor(stored: Stored) {
    this.#stored = stored;
    this.#parts = spans(stored.byteLength / 4, partsFor(stored));
  }

  /** Magnitudes from each start on, as a sample. */
  async sample(starts: readonly number[]): Promise<Uint32Array> {
    const elements = this.#stored.byteLength / 4;
    const parts = spans(starts.length, this.#parts.length).map(({ start, length }): Part<'sample'> => {
      const job = { kind: 'sample', elements, starts: starts.slice(start, start + length) } as const;
      return { job, start: 0, at: 0 };
    });
    return joined(await runParts<'sample'>(this.#stored, parts));
  }

  /** One pass over all elements, by part; its result is kept for {@link prune}. */
  async survey(bracket: Bracket): Promise<readonly Within[]> {
    this.#bracket = bracket;
    this.#within = await runParts<'within'>(
      this.#stored,
      this.#parts.map(({ start, length }) => ({
        job: { kind: 'within', elements: length, bracket },
        start: 4 * start,
        at: 0,
      })),
    );
    return this.#within;
  }

  /** Whether {@link select} may be called. */
  get selectable(): boolean {
    return isLarge(this.#stored);
  }

  /**
   * Lets one thread find the threshold below which exactly `count` elements (at least 1) lie. This is faster than
   * {@link survey} if there are several weights for as many threads, or one of each. The result is kept for {@link
   * prune}.
   * @returns undefined if the sample was not sufficient
   */
  async select(count: number): Promise<Threshold | undefined> {
    const job = { kind: 'select', elements: this.#stored.byteLength / 4, parts: this.#parts, count } as const;
    this.#selection = await fileExecutorOf(this.#stored).runAlone<'select'>(this.#stored, job);
    const { found } = this.#selection;
    return found && { key: [found.bits >>> 16, found.bits & 0xffff], ties: found.ties };
  }

  /** The number of zeros and the number of NaN. */
  async countSpecial(): Promise<{ readonly zeros: number; readonly nans: number }> {
    if (this.#selection !== undefined) return this.#selection;
    if (this.#within !== undefined) {
      return { zeros: total(this.#within, (one) => one.zeros), nans: total(this.#within, (one) => one.nans) };
    }
    this.#top ??= await this.#countTop();
    return this.#top;
  }

  /** Counts the next digit of every element whose digits so far are `prefix` (none, or the upper 16 bits). */
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

  /**
   * Subtracts this tensor's ties from the threshold; returns the pruned tensor and the number of elements newly zeroed.
   */
  async prune(threshold: Threshold): Promise<{ readonly lost: number; readonly stream: Streamed }> {
    const [top = 0, low = 0] = threshold.key;
    const bits = top * 65536 + low;
    const parts = this.#beside(bits) ?? (await this.#besideDigits(top, low));
    const ties = parts.map(({ equal }) => {
      const taken = Math.min(threshold.ties, equal);
      threshold.ties -= taken;
      return taken;
    });
    const taken = total(ties, (one) => one);
    // Zeros are below every threshold but 0 itself, which prunes nothing.
    const lost = bits === 0 ? 0 : total(parts, (one) => one.less) - (await this.countSpecial()).zeros + taken;
    const selected = this.#selection?.found;
    const known = selected?.bits === bits && selected.ties === taken ? selected.end : undefined;
    this.#forget();
    const job = ({ start, length }: Span, left: number): Part<'zero'> => ({
      job: { kind: 'zero', elements: length, threshold: bits, ties: left },
      start: 4 * start,
      at: 4 * start,
    });
    const whole = { start: 0, length: this.#stored.byteLength / 4 };
    const spansOf = this.#parts;
    const stream = streamOf<'zero'>(this.#stored, this.#stored.byteLength, (count) => {
      if (count === 1) return [job(whole, taken)];
      return spansOf.flatMap((part, index) => {
        const left = ties[index] as number;
        // If only the first ties of a part are pruned, the count is known only for the whole part.
        const all = left === parts[index]?.equal;
        if (!all && left > 0) return [job(part, left)];
        const finer = spans(part.length, Math.floor(count / spansOf.length));
        return finer.map(({ start, length }) => job({ start: part.start + start, length }, all ? length : 0));
      });
    });
    const place = async (): Promise<Place | undefined> => {
      const { file } = this.#stored;
      // A tensor that already has a threshold cannot have a second one.
      if (file === undefined || file.zeroed !== undefined) return undefined;
      const until = file.position + 4 * (known ?? (await this.#endOfTies(bits, parts, ties)));
      return { ...file, zeroed: { below: bits, until } };
    };
    return { lost, stream: { ...stream, place } };
  }

  /** The end of the last pruned tie: ties are pruned in order. */
  async #endOfTies(bits: number, parts: readonly BelowAndEqual[], ties: readonly number[]): Promise<number> {
    const last = ties.findLastIndex((taken) => taken > 0);
    const part = this.#parts[last];
    if (part === undefined) return 0;
    const { start, length } = part;
    const nth = ties[last] as number;
    if (nth === parts[last]?.equal) return start + length;
    const job = { kind: 'tie', elements: length, bits, nth } as const;
    const [index = 0] = await runParts<'tie'>(this.#stored, [{ job, start: 4 * start, at: 0 }]);
    return start + index + 1;
  }

  /**
   * The number of elements below and at a magnitude, by part, from what was collected; undefined if that is not enough.
   */
  #beside(bits: number): readonly BelowAndEqual[] | undefined {
    const selected = this.#selection?.found;
    if (selected?.bits === bits) return selected.parts;
    if (this.#within?.some((one) => one.inside.length < one.count) !== false) return undefined;
    const { low, high } = this.#bracket;
    if (bits < low || bits > high) return undefined;
    return this.#within.map((one) => {
      const { less, equal } = belowAndEqual(one.inside, bits);
      return { less: one.below + less, equal };
    });
  }

  /** The same from the digit counts; the elements below are counted for all parts together, in the first part. */
  async #besideDigits(top: number, low: number): Promise<BelowAndEqual[]> {
    this.#top ??= await this.#countTop();
    const { bins, counts } = this.#top;
    let under = 0;
    for (let index = 0; index < bins.length; index++)
      if ((bins[index] as number) < top) under += counts[index] as number;
    return (await this.#lowUnder(top)).counts.map((digits, part) => {
      let less = part === 0 ? under : 0;
      for (let bin = 0; bin < low; bin++) less += digits[bin] as number;
      return { less, equal: digits[low] as number };
    });
  }

  /** Frees what was kept from selection to pruning. */
  #forget(): void {
    if (this.#low !== undefined) keptBytes -= bytesOf(this.#low);
    this.#low = undefined;
    this.#within = undefined;
    this.#selection = undefined;
  }

  async #countTop(): Promise<Top> {
    const parts = this.#parts.map(
      ({ start, length }): Part<'top'> => ({ job: { kind: 'top', elements: length }, start: 4 * start, at: 0 }),
    );
    const results = await runParts<'top'>(this.#stored, parts);
    const all = new Float64Array(1 << 15);
    for (const one of results) add(all, one.counts);
    const bins = Uint16Array.from([...all.keys()].filter((bin) => all[bin] !== 0));
    return {
      bins,
      counts: Float64Array.from(bins, (bin) => all[bin] as number),
      zeros: total(results, (one) => one.zeros),
      nans: total(results, (one) => one.nans),
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
  return total(counts, (one) => one.byteLength);
}

function total<T>(list: readonly T[], of: (one: T) => number): number {
  return list.reduce((sum, one) => sum + of(one), 0);
}

function add(into: Float64Array, counts: ArrayLike<number>): void {
  for (let bin = 0; bin < counts.length; bin++) into[bin] = (into[bin] as number) + (counts[bin] as number);
}
