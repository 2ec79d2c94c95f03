/**
 * Bins of an activation's histogram. If outliers reach 16 times as far as the rest, one bin still covers 1/256 of it.
 */
export const HISTOGRAM_BINS = 4096;

/** The result of a second pass: elements counted by value, in bins of equal width. */
export class Histogram {
  /** Lower end of the first bin and upper end of the last one. */
  readonly low: number;
  readonly high: number;
  readonly counts: Float64Array;

  /**
   * @param low - finite
   * @param high - finite, not below `low`; if they are equal, every element is in the first bin
   */
  constructor(low: number, high: number, bins: number = HISTOGRAM_BINS) {
    this.low = low;
    this.high = high;
    this.counts = new Float64Array(bins);
  }

  /** Adds elements. Those outside go to the first or the last bin; infinities and NaN are ignored. */
  add(data: Float32Array): void {
    const { low, counts } = this;
    const last = counts.length - 1;
    const perUnit = this.high > low ? counts.length / (this.high - low) : 0;
    for (let index = 0; index < data.length; index++) {
      const value = data[index] as number;
      // 0 for every finite value, otherwise NaN.
      if (value - value !== 0) continue;
      const at = (value - low) * perUnit;
      const bin = at < last ? (at > 0 ? at | 0 : 0) : last;
      counts[bin] = (counts[bin] as number) + 1;
    }
  }

  /** Lower end of a bin; for the number of bins, the upper end of the last one. */
  edge(bin: number): number {
    const bins = this.counts.length;
    return bin === bins ? this.high : this.low + ((this.high - this.low) * bin) / bins;
  }

  /** The value that stands for all elements of a bin. */
  centre(bin: number): number {
    return this.low + ((this.high - this.low) * (bin + 0.5)) / this.counts.length;
  }

  /**
   * Mean squared error that clipping to [min, max] adds, each bin a point mass at its centre:
   * `Σ count·(centre − clamp(centre))² / Σ count`. A range that holds every bin gives exactly 0.
   */
  clipError(min: number, max: number): number {
    let sum = 0;
    let total = 0;
    for (let bin = 0; bin < this.counts.length; bin++) {
      const count = this.counts[bin] as number;
      const value = this.centre(bin);
      const excess = value < min ? min - value : value > max ? value - max : 0;
      sum += count * excess * excess;
      total += count;
    }
    return total === 0 ? 0 : sum / total;
  }
}
