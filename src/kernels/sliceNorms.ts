import type { ChannelLayout } from './layout.ts';

/** Norms that order slices: the sum of magnitudes, the root of the sum of squares, the largest magnitude. */
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
  const add = ADD[norm];
  // One element of a channel at a time, or many: the inner loop is the long one.
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

/** Each norm without its root, one element further. */
const ADD: Readonly<Record<Norm, (sum: number, value: number) => number>> = {
  l1: (sum, value) => sum + Math.abs(value),
  l2: (sum, value) => sum + value * value,
  linf: (sum, value) => Math.max(sum, Math.abs(value)),
};

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
