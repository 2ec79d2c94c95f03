import { type Share, shareOf } from './share.ts';
import type { VectorBlock } from './vectors.ts';

/** Geometry of a convolution; each list has one entry per spatial axis. */
export interface PatchGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** As in ONNX: all begins, then all ends. Ignored if `autoPad` determines the padding. */
  readonly pads: readonly number[];
  readonly autoPad: 'NOTSET' | 'VALID' | 'SAME_UPPER' | 'SAME_LOWER';
  readonly groups: number;
  /**
   * Order of a patch's elements: channel by channel, as in the weight, or all channels of each kernel position
   * together.
   */
  readonly order: 'channels_first' | 'channels_last';
}

/** One spatial axis: the leading zeros `before`, and the number of kernel positions. */
interface Axis {
  readonly before: number;
  readonly stops: number;
}

/**
 * Maximum kernel positions in one image, because the pads of a broken file could ask for any number. An image of 4096²
 * has this many.
 */
const MAX_STOPS: number = 2 ** 24;

/**
 * Kernel positions whose patches are extracted together; their offsets are computed once for all groups of channels.
 */
const BLOCK = 64;

/**
 * The rows that a convolution multiplies its weights with (im2col): for each image, group and kernel position, the
 * input elements under the kernel, with zeros beyond the edge. Rows are ordered by position, within each image.
 *
 * @param data - `[N, C, …spatial]`, row-major
 * @param share - the rows to include; all if omitted
 * @returns blocks of rows of `C/groups · ∏kernel` elements, each overwritten by the next; empty if there are too many
 * positions
 * @see https://onnx.ai/onnx/operators/onnx__Conv.html
 */
export function* patches(
  data: Float32Array,
  dims: readonly number[],
  geometry: PatchGeometry,
  share?: Share,
): Generator<VectorBlock> {
  const [images = 0, channels = 0, ...spatial] = dims;
  const { kernel, groups, order } = geometry;
  const axes = spatial.map((size, axis) => axisOf(size, axis, geometry));
  const stops = product(axes.map((one) => one.stops));
  if (stops === 0 || stops > MAX_STOPS) return;
  const plane = product(spatial);
  const own = channels / groups;
  const taps = product(kernel);
  const [channelStep, tapStep] = order === 'channels_first' ? [taps, 1] : [1, own];
  const { count, at: indexAt, weight } = shareOf(stops * images, share);
  const under = new Taps(spatial, axes, geometry);
  const offsets = new Int32Array(BLOCK * taps);
  const bases = new Float64Array(BLOCK);
  const rows = new Float32Array(BLOCK * own * taps);
  for (let start = 0; start < count; start += BLOCK) {
    const filled = Math.min(BLOCK, count - start);
    for (let one = 0; one < filled; one++) {
      const index = indexAt(start + one);
      bases[one] = (index % images) * channels * plane;
      under.place(Math.floor(index / images), offsets.subarray(one * taps, (one + 1) * taps));
    }
    for (let group = 0; group < groups; group++) {
      for (let one = 0; one < filled; one++) {
        const first = (bases[one] as number) + group * own * plane;
        for (let channel = 0; channel < own; channel++) {
          const base = first + channel * plane;
          let at = one * own * taps + channel * channelStep;
          for (let tap = one * taps; tap < (one + 1) * taps; tap++, at += tapStep) {
            const offset = offsets[tap] as number;
            rows[at] = offset < 0 ? 0 : (data[base + offset] as number);
          }
        }
      }
      yield { group, rows: rows.subarray(0, filled * own * taps), weight };
    }
  }
}

function axisOf(size: number, axis: number, { kernel, strides, dilations, pads, autoPad }: PatchGeometry): Axis {
  const reach = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
  const stride = strides[axis] ?? 1;
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
    const stops = Math.ceil(size / stride);
    const all = Math.max(0, (stops - 1) * stride + reach - size);
    return { before: autoPad === 'SAME_UPPER' ? Math.floor(all / 2) : Math.ceil(all / 2), stops };
  }
  const before = autoPad === 'VALID' ? 0 : (pads[axis] ?? 0);
  const after = autoPad === 'VALID' ? 0 : (pads[axis + kernel.length] ?? 0);
  return { before, stops: Math.max(0, Math.floor((size + before + after - reach) / stride) + 1) };
}

/** The offsets that the elements of a kernel read at one position. */
class Taps {
  readonly #axes: readonly Axis[];
  readonly #spatial: readonly number[];
  readonly #strides: readonly number[];
  /**
   * For each axis, the distance of each kernel element from the first one; and in total, in elements of a channel.
   * Files may state 2^40.
   */
  readonly #along: readonly Float64Array[];
  readonly #inside: Float64Array;
  readonly #first: Float64Array;

  constructor(spatial: readonly number[], axes: readonly Axis[], { kernel, strides, dilations }: PatchGeometry) {
    const taps = product(kernel);
    this.#axes = axes;
    this.#spatial = spatial;
    this.#strides = strides;
    this.#along = kernel.map((size, axis) => {
      const run = product(kernel.slice(axis + 1));
      return Float64Array.from({ length: taps }, (_, tap) => (Math.floor(tap / run) % size) * (dilations[axis] ?? 1));
    });
    const stepOf = (axis: number): number => product(spatial.slice(axis + 1));
    this.#inside = Float64Array.from({ length: taps }, (_, tap) =>
      this.#along.reduce((sum, one, axis) => sum + (one[tap] as number) * stepOf(axis), 0),
    );
    this.#first = new Float64Array(axes.length);
  }

  /**
   * @param stop - kernel position; the last axis varies fastest
   * @param offsets - receives the offset of each kernel element in a channel; −1 outside
   */
  place(stop: number, offsets: Int32Array): void {
    const axes = this.#axes;
    const taps = offsets.length;
    let [left, step, base, whole] = [stop, 1, 0, true];
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { stops, before } = axes[axis] as Axis;
      const extent = this.#spatial[axis] as number;
      const first = (left % stops) * (this.#strides[axis] ?? 1) - before;
      this.#first[axis] = first;
      whole &&= first >= 0 && first + ((this.#along[axis] as Float64Array)[taps - 1] as number) < extent;
      base += first * step;
      left = Math.floor(left / stops);
      step *= extent;
    }
    for (let tap = 0; tap < taps; tap++) offsets[tap] = base + (this.#inside[tap] as number);
    if (whole) return;
    for (let axis = 0; axis < axes.length; axis++) {
      const extent = this.#spatial[axis] as number;
      const first = this.#first[axis] as number;
      const along = this.#along[axis] as Float64Array;
      for (let tap = 0; tap < taps; tap++) {
        const at = first + (along[tap] as number);
        if (at < 0 || at >= extent) offsets[tap] = -1;
      }
    }
  }
}

function product(list: readonly number[]): number {
  return list.reduce((a, b) => a * b, 1);
}
