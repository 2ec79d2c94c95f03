import type { ChannelLayout } from '../layout.ts';

/** Statistics of an activation's channels, one number each; the fields are those of `ActivationRange`. */
export interface ObservedChannels {
  readonly channelMeans: readonly number[];
  /** Means of x². */
  readonly channelPowers: readonly number[];
  /** The largest |x| seen. */
  readonly channelPeaks: readonly number[];
}

/** Sums over an activation's channels, batch after batch. Infinities and NaN are left out. */
export class ChannelSums {
  /** For each channel: the number of elements, Σ x, Σ x², the largest |x|. */
  #sums: Float64Array | undefined;
  #channels = 0;
  #consistent = true;

  /**
   * Adds one batch.
   * @param data - elements in the order of `layout`; only the number of channels must be the same in every batch
   */
  add(data: Float32Array, { outer, channels, inner }: ChannelLayout): void {
    if (this.#sums === undefined) {
      this.#sums = new Float64Array(FIELDS * channels);
      this.#channels = channels;
    }
    if (this.#channels !== channels) this.#consistent = false;
    if (!this.#consistent) return;
    const sums = this.#sums;
    for (let row = 0, start = 0; row < outer; row++) {
      for (let channel = 0; channel < channels; channel++, start += inner) {
        let [count, sum, squares, peak] = [inner, 0, 0, 0];
        for (let index = start; index < start + inner; index++) {
          const value = data[index] as number;
          sum += value;
          squares += value * value;
          peak = Math.max(peak, Math.abs(value));
        }
        // The square of a float32 is far from the largest double: the sum is finite exactly where all elements are.
        if (!Number.isFinite(squares)) [count, sum, squares, peak] = finiteSums(data.subarray(start, start + inner));
        const at = FIELDS * channel;
        sums[at] = (sums[at] as number) + count;
        sums[at + 1] = (sums[at + 1] as number) + sum;
        sums[at + 2] = (sums[at + 2] as number) + squares;
        sums[at + 3] = Math.max(sums[at + 3] as number, peak);
      }
    }
  }

  /** Undefined if a channel has no elements, or the number of channels changed between batches. */
  get channels(): ObservedChannels | undefined {
    const sums = this.#sums;
    if (sums === undefined || !this.#consistent) return undefined;
    const of = (field: number): number[] =>
      Array.from({ length: this.#channels }, (_, channel) => sums[FIELDS * channel + field] as number);
    const counts = of(0);
    if (counts.some((count) => count === 0)) return undefined;
    const meanOf = (field: number): number[] => of(field).map((sum, channel) => sum / (counts[channel] as number));
    return { channelMeans: meanOf(1), channelPowers: meanOf(2), channelPeaks: of(3) };
  }
}

const FIELDS = 4;

function finiteSums(data: Float32Array): [count: number, sum: number, squares: number, peak: number] {
  const finite = data.filter(Number.isFinite);
  let [sum, squares, peak] = [0, 0, 0];
  for (const value of finite) {
    sum += value;
    squares += value * value;
    peak = Math.max(peak, Math.abs(value));
  }
  return [finite.length, sum, squares, peak];
}
