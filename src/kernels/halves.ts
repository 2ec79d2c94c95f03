import { Losses } from './loss.ts';
import { halfWords } from './rounded.ts';
import { type HalfFormat, toFloat32 } from './views.ts';

/** The largest finite number of each format; larger ones become infinity. */
export const LARGEST: Readonly<Record<HalfFormat, number>> = {
  float16: 65504,
  bfloat16: (2 - 2 ** -7) * 2 ** 127,
};

/** The effect of rounding numbers to 16 bits. */
export interface Rounding {
  /** The largest finite magnitude. */
  readonly largest: number;
  /** The smallest magnitude that becomes infinite; infinity if there is none. */
  readonly leastBeyond: number;
  /** Sums of squares over numbers that stay finite: of the numbers, and of their rounding errors. */
  readonly signal: number;
  readonly noise: number;
}

/** A rounding, accumulated part by part. */
export class Roundings extends Losses implements Rounding {
  largest = 0;
  leastBeyond: number = Number.POSITIVE_INFINITY;

  /** @param rounded - the rounded numbers, converted back to float32 */
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

  /** Adds the result of another part. */
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

/** The effect of {@link halvesOf} on the numbers. */
export function measureHalves(into: Roundings, numbers: Float32Array, format: HalfFormat): void {
  into.compare(numbers, toFloat32(halvesOf(numbers, format), format));
}
