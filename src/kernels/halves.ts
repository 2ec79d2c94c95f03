import { Losses } from './loss.ts';
import { halfWords } from './rounded.ts';
import { type HalfFormat, toFloat32 } from './views.ts';

/** The largest number of each: what is beyond becomes infinity. */
export const LARGEST: Readonly<Record<HalfFormat, number>> = {
  float16: 65504,
  bfloat16: (2 - 2 ** -7) * 2 ** 127,
};

/** What 16 bits do to numbers. */
export interface Rounding {
  /** The largest magnitude of the finite ones. */
  readonly largest: number;
  /** The least magnitude of those that become infinite; infinity where none does. */
  readonly leastBeyond: number;
  /** Sums of squares over those that stay finite: of the numbers, and of what rounding takes from them. */
  readonly signal: number;
  readonly noise: number;
}

/** A rounding that is measured part by part. */
export class Roundings extends Losses implements Rounding {
  largest = 0;
  leastBeyond: number = Number.POSITIVE_INFINITY;

  /** @param rounded - the numbers that their 16 bits stand for, as float32 again */
  compare(numbers: Float32Array, rounded: Float32Array): void {
    let { largest, leastBeyond, signal, noise } = this;
    for (let at = 0; at < numbers.length; at++) {
      const value = numbers[at] as number;
      const magnitude = Math.abs(value);
      if (!(magnitude < Number.POSITIVE_INFINITY)) continue;
      if (magnitude > largest) largest = magnitude;
      const lost = value - (rounded[at] as number);
      if (!(Math.abs(lost) < Number.POSITIVE_INFINITY)) {
        if (magnitude < leastBeyond) leastBeyond = magnitude;
        continue;
      }
      signal += value * value;
      noise += lost * lost;
    }
    Object.assign(this, { largest, leastBeyond, signal, noise });
  }

  /** Adds what another part has shown. */
  override add(part: Rounding): void {
    super.add(part);
    this.largest = Math.max(this.largest, part.largest);
    this.leastBeyond = Math.min(this.leastBeyond, part.leastBeyond);
  }
}

/** float32 as 16 bits, rounded to nearest, ties to even; NaN stays NaN. */
export function halvesOf(numbers: Float32Array, format: HalfFormat): Uint8Array {
  return new Uint8Array(halfWords(numbers, format).buffer);
}

/** What {@link halvesOf} does to the numbers. */
export function measureHalves(into: Roundings, numbers: Float32Array, format: HalfFormat): void {
  into.compare(numbers, toFloat32(halvesOf(numbers, format), format));
}
