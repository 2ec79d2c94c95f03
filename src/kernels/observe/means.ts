import type { ChannelLayout } from '../layout.ts';

/** The means of an activation's channels, batch after batch. Infinities and NaN are left out. */
export class ChannelMeans {
  #sums: Float64Array | undefined;
  #counts: Float64Array = new Float64Array(0);
  #consistent = true;

  /**
   * Adds one batch.
   * @param data - elements in the order of `layout`; batches may differ in everything but their channels
   */
  add(data: Float32Array, { outer, channels, inner }: ChannelLayout): void {
    this.#sums ??= new Float64Array(channels);
    if (this.#counts.length === 0) this.#counts = new Float64Array(channels);
    if (this.#sums.length !== channels) this.#consistent = false;
    if (!this.#consistent) return;
    for (let row = 0, start = 0; row < outer; row++) {
      for (let channel = 0; channel < channels; channel++, start += inner) {
        let sum = 0;
        for (let index = start; index < start + inner; index++) sum += data[index] as number;
        let count = inner;
        if (!Number.isFinite(sum)) [sum, count] = finiteSum(data.subarray(start, start + inner));
        this.#sums[channel] = (this.#sums[channel] as number) + sum;
        this.#counts[channel] = (this.#counts[channel] as number) + count;
      }
    }
  }

  /** A mean for each channel; undefined where a channel had no element, or their number changed between batches. */
  get means(): number[] | undefined {
    if (this.#sums === undefined || !this.#consistent || this.#counts.some((count) => count === 0)) return undefined;
    return Array.from(this.#sums, (sum, channel) => sum / (this.#counts[channel] as number));
  }
}

function finiteSum(data: Float32Array): [sum: number, count: number] {
  let sum = 0;
  let count = 0;
  for (const value of data) {
    if (!Number.isFinite(value)) continue;
    sum += value;
    count++;
  }
  return [sum, count];
}
