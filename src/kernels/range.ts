import type { ChannelLayout } from './layout.ts';

/** Smallest and largest value of every channel, always including 0. NaN or infinity makes the tensor non-finite. */
export interface Range {
  readonly min: Float32Array;
  readonly max: Float32Array;
}

/**
 * The range of every channel, widened to hold 0 so that zeros are exact after quantization.
 * @returns `min` and `max` of shape `[channels]`, or undefined if an element is NaN or infinite
 */
export function rangeOf(data: Float32Array, layout: ChannelLayout): Range | undefined {
  const { outer, channels, inner } = layout;
  const min = new Float32Array(channels);
  const max = new Float32Array(channels);
  // x − x is 0 for every finite x, otherwise NaN: one sum finds them all without a branch.
  let poison = 0;
  if (inner === 1) {
    for (let row = 0, index = 0; row < outer; row++) {
      for (let channel = 0; channel < channels; channel++, index++) {
        const value = data[index] as number;
        if (value < (min[channel] as number)) min[channel] = value;
        if (value > (max[channel] as number)) max[channel] = value;
        poison += value - value;
      }
    }
  } else {
    for (let row = 0, index = 0; row < outer; row++) {
      for (let channel = 0; channel < channels; channel++) {
        let low = min[channel] as number;
        let high = max[channel] as number;
        for (const end = index + inner; index < end; index++) {
          const value = data[index] as number;
          if (value < low) low = value;
          if (value > high) high = value;
          poison += value - value;
        }
        min[channel] = low;
        max[channel] = high;
      }
    }
  }
  return poison === 0 ? { min, max } : undefined;
}
