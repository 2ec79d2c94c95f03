import type { ChannelLayout } from './layout.ts';

/**
 * Bins by the upper half of a float32: sign, 8 bits of exponent, 7 of fraction. Two values in a bin differ by at most 1
 * in 128.
 */
const BINS = 1 << 16;
/**
 * Distance from the mean at which a weight is an outlier, in standard deviations; in a normal distribution, 2 in 10⁹
 * are.
 */
export const OUTLIER_SIGMA = 6;
/** Quantile of the magnitudes that the largest one is compared with. */
export const OUTLIER_QUANTILE = 0.999;

/** The result of one pass over a weight. Figures refer to its finite elements. */
export interface Statistics {
  readonly elements: number;
  /** Zeros of either sign. */
  readonly zeros: number;
  readonly nans: number;
  readonly infinities: number;
  /** 0 if no element is finite, like mean and std. */
  readonly min: number;
  readonly max: number;
  readonly absMax: number;
  readonly mean: number;
  /** Standard deviation of the population: `√(Σ(x − mean)² / n)`. */
  readonly std: number;
  /** Largest magnitude of the loudest channel divided by that of the quietest; channels of zeros are ignored. */
  readonly channelSpread: number;
  readonly channels: number;
  /** Channels whose elements are all zero. */
  readonly zeroChannels: number;
  /** Largest magnitude divided by the 99.9th percentile of magnitudes, to within 1 %. 0 if that percentile is 0. */
  readonly outlierRatio: number;
  /** Share of elements further than 6 standard deviations from the mean. Those within 1 % of that limit may count. */
  readonly outlierShare: number;
}

/** Computes the statistics of a tensor in one pass, a chunk at a time. */
export class StatisticsOf {
  readonly #layout: ChannelLayout;
  readonly #absMax: Float32Array;
  readonly #counts = new Float64Array(BINS);
  #channel = 0;
  #within = 0;
  #elements = 0;
  #zeros = 0;
  #nans = 0;
  #infinities = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #sum = 0;
  #squares = 0;

  /** @param layout - of the whole tensor; its channels are those with a scale each */
  constructor(layout: ChannelLayout) {
    this.#layout = layout;
    this.#absMax = new Float32Array(layout.channels);
  }

  /** Adds the next elements. */
  add(data: Float32Array): void {
    const { channels, inner } = this.#layout;
    const counts = this.#counts;
    const absMax = this.#absMax;
    const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
    let [channel, within, zeros, sum, squares, min, max] = [
      ...[this.#channel, this.#within, 0, 0, 0, this.#min, this.#max],
    ] as [number, number, number, number, number, number, number];
    for (let index = 0; index < data.length; index++) {
      const value = data[index] as number;
      if (value - value === 0) {
        const bin = (words[index] as number) >>> 16;
        counts[bin] = (counts[bin] as number) + 1;
        if (value === 0) zeros++;
        sum += value;
        squares += value * value;
        if (value < min) min = value;
        if (value > max) max = value;
        const magnitude = Math.abs(value);
        if (magnitude > (absMax[channel] as number)) absMax[channel] = magnitude;
      } else if (Number.isNaN(value)) {
        this.#nans++;
      } else {
        this.#infinities++;
      }
      if (++within === inner) {
        within = 0;
        if (++channel === channels) channel = 0;
      }
    }
    this.#elements += data.length;
    this.#zeros += zeros;
    // Sum each chunk separately: the error of a long sum grows with its length.
    this.#sum += sum;
    this.#squares += squares;
    [this.#channel, this.#within, this.#min, this.#max] = [channel, within, min, max];
  }

  /** The results for all elements so far. */
  done(): Statistics {
    const finite = this.#elements - this.#nans - this.#infinities;
    const [min, max] = finite === 0 ? [0, 0] : [this.#min + 0, this.#max + 0]; // −0 + 0 is 0
    const mean = finite === 0 ? 0 : this.#sum / finite;
    const std = finite === 0 ? 0 : Math.sqrt(Math.max(0, this.#squares / finite - mean * mean));
    const absMax = Math.max(Math.abs(min), Math.abs(max));
    const live = this.#absMax.filter((one) => one > 0);
    const least = live.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const usual = this.#quantile(OUTLIER_QUANTILE, finite);
    return {
      elements: this.#elements,
      zeros: this.#zeros,
      nans: this.#nans,
      infinities: this.#infinities,
      ...{ min, max, absMax, mean, std },
      channelSpread: live.length === 0 ? 1 : live.reduce((a, b) => Math.max(a, b), 0) / least,
      channels: this.#layout.channels,
      zeroChannels: this.#elements === 0 ? 0 : this.#absMax.length - live.length,
      // The percentile is that of its bin, and may exceed the largest magnitude.
      outlierRatio: usual === 0 ? 0 : Math.max(1, absMax / usual),
      outlierShare: finite === 0 ? 0 : this.#beyond(mean, OUTLIER_SIGMA * std) / finite,
    };
  }

  /**
   * Nonzero elements in bins of equal width from `low` to `high`. Each internal bin, which reaches from a value to 1 in
   * 128 above it, is spread evenly over the bins it overlaps, so counts may be fractional.
   */
  histogram(bins: number, low: number, high: number): number[] {
    const result = new Array<number>(bins).fill(0);
    const perUnit = high > low ? bins / (high - low) : 0;
    const place = (value: number): number => Math.min(Math.max((value - low) * perUnit, 0), bins);
    this.#counts.forEach((all, bin) => {
      // The bins of ±0 also hold tiny subnormals.
      const count = (bin & 0x7fff) === 0 ? Math.max(0, all - this.#zeros) : all;
      if (count === 0) return;
      const [one, other] = [place(edgeOf(bin)), place(edgeOf(bin + 1))];
      const [from, to] = one < other ? [one, other] : [other, one];
      for (let into = Math.min(Math.floor(from), bins - 1); into < bins; into++) {
        const overlap = Math.min(to, into + 1) - Math.max(from, into);
        const share = to > from ? overlap / (to - from) : 1;
        result[into] = (result[into] as number) + count * share;
        if (to <= into + 1) break;
      }
    });
    return result;
  }

  /** The middle of the bin that contains the quantile `share` of `finite` magnitudes. */
  #quantile(share: number, finite: number): number {
    let below = 0;
    for (let bin = 0; bin < BINS / 2; bin++) {
      below += (this.#counts[bin] as number) + (this.#counts[bin + BINS / 2] as number);
      if (below > 0 && below >= share * finite) return middleOf(bin);
    }
    return 0;
  }

  #beyond(mean: number, distance: number): number {
    let count = 0;
    this.#counts.forEach((one, bin) => {
      if (one > 0 && Math.abs(middleOf(bin) - mean) > distance) count += one;
    });
    return count;
  }
}

const BITS = new Uint32Array(1);
const VALUE = new Float32Array(BITS.buffer);

/** The value of a bin that is nearest to zero. */
function edgeOf(bin: number): number {
  BITS[0] = (bin << 16) >>> 0;
  return VALUE[0] as number;
}

/** The value in the middle of a bin; 0 for that of zero. */
function middleOf(bin: number): number {
  BITS[0] = (bin & 0x7fff) === 0 ? 0 : ((bin << 16) | 0x8000) >>> 0;
  return VALUE[0] as number;
}
