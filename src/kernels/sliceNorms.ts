import type { ChannelLayout } from './layout.ts';

/** Norms that slices are ordered by: the sum of magnitudes, the root of the sum of squares, the largest magnitude. */
export type Norm = 'l1' | 'l2' | 'linf';

/** Real numbers as a kernel reads them. */
export type Numbers = Float32Array | Float64Array;

/**
 * The norm of every channel: `Σ|x|`, `√Σx²` or `max|x|` over all its elements, as `torch.norm(t, p, dim)` with every
 * other axis in `dim`. Sums are made in float64, in the order the elements lie.
 *
 * @param data - [outer · channels · inner], without NaN
 * @returns [channels]
 */
export function sliceNorms(data: Numbers, { outer, channels, inner }: ChannelLayout, norm: Norm): Float64Array {
  const norms = new Float64Array(channels);
  for (let block = 0, at = 0; block < outer; block++) {
    for (let channel = 0; channel < channels; channel++, at += inner) {
      norms[channel] = along(data, at, at + inner, norm, norms[channel] as number);
    }
  }
  return norm === 'l2' ? norms.map(Math.sqrt) : norms;
}

/** Goes on with a norm, a square still under its root, from `start` to `end`. */
function along(data: Numbers, start: number, end: number, norm: Norm, from: number): number {
  let sum = from;
  if (norm === 'l1') for (let at = start; at < end; at++) sum += Math.abs(data[at] as number);
  else if (norm === 'l2') for (let at = start; at < end; at++) sum += (data[at] as number) ** 2;
  else for (let at = start; at < end; at++) sum = Math.max(sum, Math.abs(data[at] as number));
  return sum;
}

/** How many channels hold nothing but zeros, told channel by channel: [channels], 1 where all are zero. */
export function zeroSlices(data: Numbers, { outer, channels, inner }: ChannelLayout): Uint8Array {
  const zero = new Uint8Array(channels).fill(1);
  for (let block = 0, at = 0; block < outer; block++) {
    for (let channel = 0; channel < channels; channel++, at += inner) {
      for (let index = at; zero[channel] === 1 && index < at + inner; index++) if (data[index] !== 0) zero[channel] = 0;
    }
  }
  return zero;
}
