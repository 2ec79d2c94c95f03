/**
 * Magnitudes of floats as integers: without its sign bit, the bit pattern of an IEEE float orders like its absolute
 * value. `words` are the 16-bit words of the elements, little-endian; `width` words make one element (2: float32, 4:
 * float64).
 */
export interface Magnitudes {
  readonly words: Uint16Array;
  readonly width: number;
}

/**
 * Elements whose magnitude is below `key` (16-bit digits, most significant first) are pruned, and `ties` elements equal
 * to it.
 */
export interface Threshold {
  readonly key: readonly number[];
  ties: number;
}

/**
 * Finds the threshold below which exactly `count` elements lie, over any number of tensors. It is a radix selection:
 * one pass over the data for every 16 bits of an element (two for float32), in constant memory.
 *
 * @param passes - called once per digit; yields all tensors, always in the same order
 * @param count - number of elements to prune, at least 1 and at most the total
 * @param add - counts one digit of one tensor: {@link addDigits} or an equivalent
 */
export async function selectThreshold<T = Magnitudes>(
  passes: () => AsyncIterable<T>,
  width: number,
  count: number,
  add: (histogram: Float64Array, item: T, prefix: readonly number[]) => Promise<void> | void,
): Promise<Threshold> {
  const key: number[] = [];
  let left = count;
  for (let digit = 0; digit < width; digit++) {
    const histogram = new Float64Array(1 << 16);
    for await (const item of passes()) await add(histogram, item, key);
    let bin = 0;
    while (left > (histogram[bin] as number)) left -= histogram[bin++] as number;
    key.push(bin);
  }
  return { key, ties: left };
}

/** Counts the next digit of every element whose digits so far are `prefix`. */
export function addDigits(histogram: Float64Array, { words, width }: Magnitudes, prefix: readonly number[]): void {
  const digit = width - 1 - prefix.length;
  const mask = prefix.length === 0 ? 0x7fff : 0xffff;
  if (prefix.length === 0) {
    for (let at = width - 1; at < words.length; at += width) {
      const bin = (words[at] as number) & mask;
      histogram[bin] = (histogram[bin] as number) + 1;
    }
    return;
  }
  const top = prefix[0] as number;
  for (let at = 0; at < words.length; at += width) {
    if (((words[at + width - 1] as number) & 0x7fff) !== top) continue;
    let matches = true;
    for (let index = 1; index < prefix.length; index++) matches &&= words[at + width - 1 - index] === prefix[index];
    if (!matches) continue;
    const bin = words[at + digit] as number;
    histogram[bin] = (histogram[bin] as number) + 1;
  }
}

/**
 * Marks the elements below the threshold, and the first `threshold.ties` equal ones. `ties` is decremented, so that the
 * next tensor continues where this one ended.
 * @param zero - called with the index of every element to set to zero
 */
export function belowThreshold(
  { words, width }: Magnitudes,
  threshold: Threshold,
  zero: (index: number) => void,
): void {
  const { key } = threshold;
  const top = key[0] as number;
  for (let at = 0, index = 0; at < words.length; at += width, index++) {
    const first = (words[at + width - 1] as number) & 0x7fff;
    if (first > top) continue;
    let order = first - top;
    for (let digit = 1; order === 0 && digit < width; digit++) {
      order = (words[at + width - 1 - digit] as number) - (key[digit] as number);
    }
    if (order < 0) zero(index);
    else if (order === 0 && threshold.ties > 0) {
      threshold.ties--;
      zero(index);
    }
  }
}

/** Whether some element is NaN: its magnitude is above that of infinity. */
export function hasNaN({ words, width }: Magnitudes): boolean {
  const infinity = width === 2 ? 0x7f80 : 0x7ff0;
  for (let at = width - 1; at < words.length; at += width) {
    const top = (words[at] as number) & 0x7fff;
    if (top < infinity) continue;
    let rest = top - infinity;
    for (let digit = 1; digit < width; digit++) rest |= words[at - digit] as number;
    if (rest !== 0) return true;
  }
  return false;
}

/** Number of elements that are zero, of either sign. */
export function countZeros({ words, width }: Magnitudes): number {
  let zeros = 0;
  const held = { words, width };
  for (let index = 0; index * width < words.length; index++) if (isZero(held, index)) zeros++;
  return zeros;
}

/** Whether the element at `index` is zero, of either sign. */
export function isZero({ words, width }: Magnitudes, index: number): boolean {
  const at = index * width;
  let bits = (words[at + width - 1] as number) & 0x7fff;
  for (let digit = 0; digit < width - 1; digit++) bits |= words[at + digit] as number;
  return bits === 0;
}

/** The number of zeros, and whether there are NaN (0 or more than 0). */
export function countSpecial(magnitudes: Magnitudes): { readonly zeros: number; readonly nans: number } {
  return { zeros: countZeros(magnitudes), nans: hasNaN(magnitudes) ? 1 : 0 };
}

/**
 * In place: elements below the threshold become +0, and so do the first `threshold.ties` equal ones; `ties` is
 * decremented.
 * @returns number of elements that were nonzero before
 */
export function zeroInPlace(magnitudes: Magnitudes, threshold: Threshold): number {
  const { words, width } = magnitudes;
  let lost = 0;
  belowThreshold(magnitudes, threshold, (index) => {
    if (!isZero(magnitudes, index)) lost++;
    words.fill(0, index * width, (index + 1) * width);
  });
  return lost;
}
