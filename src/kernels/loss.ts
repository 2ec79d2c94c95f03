import { decibels } from './decibels.ts';
import type { ChannelLayout } from './layout.ts';
import type { LinearParams } from './linear.ts';

/** The rounding loss of numbers, as sums of squares: of the numbers, and of the rounding errors. */
export interface Loss {
  readonly signal: number;
  readonly noise: number;
}

/** A loss that is accumulated part by part. */
export class Losses implements Loss {
  signal = 0;
  noise = 0;

  add({ signal, noise }: Loss): void {
    this.signal += signal;
    this.noise += noise;
  }

  /** Signal-to-noise ratio in dB; undefined if nothing was measured or all numbers are zero. */
  get sqnr(): number | undefined {
    return this.signal === 0 ? undefined : decibels(this.signal, this.noise);
  }
}

/**
 * The loss of numbers that were quantized to integers.
 * @param integers - one byte each, two's complement if they may be negative
 */
export function lossOf(
  data: Float32Array,
  { outer, channels, inner }: ChannelLayout,
  { scale, zeroPoint, min }: LinearParams,
  integers: Uint8Array,
): Loss {
  const q = min < 0 ? new Int8Array(integers.buffer, integers.byteOffset, integers.length) : integers;
  let [signal, noise] = [0, 0];
  for (let row = 0, index = 0; row < outer; row++) {
    for (let channel = 0; channel < channels; channel++) {
      const [step, zero] = [scale[channel] as number, zeroPoint[channel] as number];
      for (const end = index + inner; index < end; index++) {
        const value = data[index] as number;
        const lost = value - ((q[index] as number) - zero) * step;
        signal += value * value;
        noise += lost * lost;
      }
    }
  }
  return { signal, noise };
}
