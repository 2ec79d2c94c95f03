import { type Fitted, noiseOf, type Trial } from './fitted.ts';
import type { ChannelLayout } from './layout.ts';

/** Scales that are integer multiples of a step, and the error of rounding a tensor by them. */
export interface Factored extends Fitted {
  /** One for each scale, 1 … 255: `scale = factor · step`, in float32. */
  readonly factors: Uint8Array;
  /** One for each row. */
  readonly steps: Float32Array;
}

const MOST = 255;
/** The smallest normal float32. */
const LEAST_STEP = 2 ** -126;

/**
 * Stores the scales of blocks as bytes. In each row the largest scale is 255 steps. Every other scale becomes the next
 * lower or higher multiple of the step, whichever has the smaller error on its block.
 *
 * @param data - `[outer, channels, inner]` by `layout`, all finite; the blocks of a row are adjacent channels
 * @param fitted - float32 scales, symmetric
 * @param rows - a divisor of the number of channels
 */
export function factorScales(data: Float32Array, layout: ChannelLayout, fitted: Fitted, rows: number): Factored {
  const { params, signal } = fitted;
  const blocks = layout.channels / rows;
  const factors = new Uint8Array(layout.channels);
  const steps = new Float32Array(rows);
  const scale = new Float32Array(layout.channels);
  let noise = 0;
  for (let row = 0; row < rows; row++) {
    const own = params.scale.subarray(row * blocks, (row + 1) * blocks);
    const step = Math.fround(Math.max(own.reduce((most, one) => Math.max(most, one), 0) / MOST, LEAST_STEP));
    steps[row] = step;
    for (let block = 0; block < blocks; block++) {
      const channel = row * blocks + block;
      const trial: Trial = { data, layout, channel, low: params.min, high: params.max };
      const below = Math.min(Math.max(Math.floor((own[block] as number) / step), 1), MOST);
      let least = Number.POSITIVE_INFINITY;
      for (const factor of [below, Math.min(below + 1, MOST)]) {
        const one = Math.fround(factor * step);
        const lost = noiseOf(trial, one);
        if (lost >= least) continue;
        least = lost;
        factors[channel] = factor;
        scale[channel] = one;
      }
      noise += least;
    }
  }
  return { params: { ...params, scale }, signal, noise, factors, steps };
}
