/** An axis of a row-major tensor: its length, and the number of contiguous elements per index. */
export interface AxisLayout {
  readonly size: number;
  readonly inner: number;
}

/**
 * For each index of an axis, `Σ |w|` (power 1) or `Σ w²` (power 2) over all other axes.
 * @param data - the tensor, or a piece of it that begins with the index `first`
 * @param sums - sums of the previous pieces, which are added to
 * @returns `[size]`
 */
export function axisMagnitudes(
  data: Float32Array,
  { size, inner }: AxisLayout,
  power: 1 | 2,
  { first, sums }: { readonly first: number; readonly sums: Float64Array } = { first: 0, sums: new Float64Array(size) },
): Float64Array {
  for (let start = 0, index = first; start < data.length; start += inner, index = index + 1 === size ? 0 : index + 1) {
    let sum = 0;
    if (power === 1) for (let at = start; at < start + inner; at++) sum += Math.abs(data[at] as number);
    else for (let at = start; at < start + inner; at++) sum += (data[at] as number) * (data[at] as number);
    sums[index] = (sums[index] as number) + sum;
  }
  return sums;
}

/**
 * The elements of the kept indices of an axis, in their order.
 * @param bytes - elements of any type, whole bytes each
 * @param layout - `inner` in bytes
 */
export function gatherAxis(bytes: Uint8Array, { size, inner }: AxisLayout, kept: readonly number[]): Uint8Array {
  const outer = size * inner === 0 ? 0 : bytes.byteLength / (size * inner);
  const made = new Uint8Array(outer * kept.length * inner);
  let to = 0;
  for (let block = 0; block < outer; block++) {
    const base = block * size * inner;
    for (let at = 0; at < kept.length; ) {
      // Kept neighbours are copied together.
      let end = at + 1;
      while (end < kept.length && (kept[end] as number) === (kept[end - 1] as number) + 1) end++;
      const from = base + (kept[at] as number) * inner;
      made.set(bytes.subarray(from, from + (end - at) * inner), to);
      to += (end - at) * inner;
      at = end;
    }
  }
  return made;
}
