import type { ExtendedReal } from './real.ts';

/** How one tensor differs from another with the same number of elements. */
export interface Difference {
  readonly elements: number;
  /** Number of elements that differ; NaN equals NaN, and +0 equals −0. */
  readonly changed: number;
  /** Largest `|a − b|` over elements that are finite in both. */
  readonly maxAbs: number;
  /**
   * Signal-to-noise ratio of b with a as the reference: `10·log10(Σa² / Σ(a − b)²)` in dB over elements finite in both.
   * Infinite if nothing differs, −infinite if a is zero and b is not.
   */
  readonly sqnr: ExtendedReal;
  /** Number of elements of either sign of zero. */
  readonly zerosBefore: number;
  readonly zerosAfter: number;
  /** Number of elements that are finite in only one of the two, or infinite in both with different signs. */
  readonly nonFinite: number;
}

/** Compares two tensors in one pass, a chunk at a time. */
export class DifferenceOf {
  #elements = 0;
  #changed = 0;
  #maxAbs = 0;
  #signal = 0;
  #noise = 0;
  #zerosBefore = 0;
  #zerosAfter = 0;
  #nonFinite = 0;

  /** Adds the next elements of both, equally many. */
  add(before: Float32Array, after: Float32Array): void {
    let [changed, maxAbs, signal, noise, zerosBefore, zerosAfter] = [0, this.#maxAbs, 0, 0, 0, 0];
    for (let index = 0; index < before.length; index++) {
      const a = before[index] as number;
      const b = after[index] as number;
      if (a === 0) zerosBefore++;
      if (b === 0) zerosAfter++;
      const error = a - b;
      if (error - error === 0) {
        signal += a * a;
        noise += error * error;
        if (error !== 0) changed++;
        const size = Math.abs(error);
        if (size > maxAbs) maxAbs = size;
      } else if (!Object.is(a, b)) {
        changed++;
        this.#nonFinite++;
      }
    }
    this.#elements += before.length;
    this.#changed += changed;
    this.#maxAbs = maxAbs;
    this.#signal += signal;
    this.#noise += noise;
    this.#zerosBefore += zerosBefore;
    this.#zerosAfter += zerosAfter;
  }

  /** The results for all elements so far. */
  done(): Difference {
    return {
      elements: this.#elements,
      changed: this.#changed,
      maxAbs: this.#maxAbs,
      sqnr: this.#noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(this.#signal / this.#noise),
      zerosBefore: this.#zerosBefore,
      zerosAfter: this.#zerosAfter,
      nonFinite: this.#nonFinite,
    };
  }
}
