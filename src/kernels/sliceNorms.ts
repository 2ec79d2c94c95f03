import type { ChannelLayout } from './layout.ts';

/** Norms to rank slices by: the sum of magnitudes, the root of the sum of squares, the largest magnitude. */
export type Norm = 'l1' | 'l2' | 'linf';

/** Arrays that the kernels read. */
export type Numbers = Float32Array | Float64Array;

/**
 * The norm of every channel: `Σ|x|`, `√Σx²` or `max|x|` over all its elements, as `torch.norm(t, p, dim)` with every
 * other axis in `dim`. Sums are in float64, in memory order.
 *
 * @param data - [outer · channels · inner], without NaN
 * @returns [channels]
 */
export function sliceNorms(data: Numbers, { outer, channels, inner }: ChannelLayout, norm: Norm): Float64Array {
  const norms = new Float64Array(channels);
  const add = ADD[norm];
  // The longer loop is the inner one: over channels, or over the elements of one.
  for (let block = 0, at = 0; block < outer; block++) {
    if (inner === 1) {
      for (let channel = 0; channel < channels; channel++, at++) {
        norms[channel] = add(norms[channel] as number, data[at] as number);
      }
      continue;
    }
    for (let channel = 0; channel < channels; channel++) {
      let sum = norms[channel] as number;
      for (const end = at + inner; at < end; at++) sum = add(sum, data[at] as number);
      norms[channel] = sum;
    }
  }
  return norm === 'l2' ? norms.map(Math.sqrt) : norms;
}

/** One accumulation step of each norm, without its root. */
const ADD: Readonly<Record<Norm, (sum: number, value: number) => number>> = {
  l1: (sum, value) => sum + Math.abs(value),
  l2: (sum, value) => sum + value * value,
  linf: (sum, value) => Math.max(sum, Math.abs(value)),
};

/** Whether each channel is all zero: [channels], 1 if it is. */
export function zeroSlices(data: Numbers, { outer, channels, inner }: ChannelLayout): Uint8Array {
  const zero = new Uint8Array(channels).fill(1);
  for (let block = 0, at = 0; block < outer; block++) {
    for (let channel = 0; channel < channels; channel++, at += inner) {
      for (let index = at; zero[channel] === 1 && index < at + inner; index++) if (data[index] !== 0) zero[channel] = 0;
    }
  }
  return zero;
}
