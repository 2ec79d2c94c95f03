import { decibels } from './decibels.ts';
import type { ChannelLayout } from './layout.ts';
import type { LinearParams } from './linear.ts';

/** What rounding does to numbers: sums of squares, of the numbers and of what rounding takes from them. */
export interface Loss {
  readonly signal: number;
  readonly noise: number;
}

/** A loss that is measured part by part. */
export class Losses implements Loss {
  signal = 0;
  noise = 0;

  add({ signal, noise }: Loss): void {
    this.signal += signal;
    this.noise += noise;
  }

  /** What is left of the signal, in dB; undefined if nothing was measured, or the numbers are all zeros. */
  get sqnr(): number | undefined {
    return this.signal === 0 ? undefined : decibels(this.signal, this.noise);
  }
}

/**
 * The loss of numbers that became integers.
 * @param integers - one byte each, two's complement where they may be negative
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
