/** Selection among magnitudes in one array, given as the bits of a float32 without the sign. */
export interface Order {
  /** The sorted values from `low` to `high`, inclusive, and the number of values below. Valid until the next call. */
  between(values: Uint32Array, low: number, high: number): { readonly below: number; readonly inside: Uint32Array };
  /** Number of values below a magnitude. */
  less(values: Uint32Array, bits: number): number;
  /** The `rank`-th smallest value, counted from 1; may reorder the values. */
  nthSmallest(values: Uint32Array, rank: number): number;
}

/** The reference; `ArenaOrder` of simd/order.ts does the same in WebAssembly. */
export const referenceOrder: Order = {
  between(values, low, high) {
    const inside = new Uint32Array(values.length);
    let [below, count] = [0, 0];
    for (let index = 0; index < values.length; index++) {
      const value = values[index] as number;
      if (value < low) below++;
      else if (value <= high) inside[count++] = value;
    }
    return { below, inside: inside.subarray(0, count) };
  },
  less: (values, bits) => belowAndEqual(values, bits).less,
  nthSmallest,
};

/** Elements below a magnitude, and equal to it. */
export interface BelowAndEqual {
  readonly less: number;
  readonly equal: number;
}

/** Number of values below a magnitude, and equal to it. */
export function belowAndEqual(values: Uint32Array, bits: number): BelowAndEqual {
  let [less, equal] = [0, 0];
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    if (value < bits) less++;
    else if (value === bits) equal++;
  }
  return { less, equal };
}

/**
 * The `rank`-th smallest value, counted from 1; reorders the values (Hoare's Find, with the middle of three as pivot).
 * @see https://doi.org/10.1145/366622.366647
 */
export function nthSmallest(values: Uint32Array | Float64Array, rank: number): number {
  const wanted = rank - 1;
  let [left, right] = [0, values.length - 1];
  for (let round = 0; left < right; round++) {
    // An adversarial order would take quadratic time.
    if (round > MOST_ROUNDS) return values.sort()[wanted] as number;
    const pivot = middle(
      values[left] as number,
      values[left + ((right - left) >>> 1)] as number,
      values[right] as number,
    );
    let [low, high] = [left, right];
    while (low <= high) {
      while ((values[low] as number) < pivot) low++;
      while ((values[high] as number) > pivot) high--;
      if (low > high) break;
      const held = values[low] as number;
      values[low++] = values[high] as number;
      values[high--] = held;
    }
    if (wanted <= high) right = high;
    else if (wanted >= low) left = low;
    else break;
  }
  return values[wanted] as number;
}

/** Only an adversarial order needs more rounds. */
const MOST_ROUNDS = 128;

function middle(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
