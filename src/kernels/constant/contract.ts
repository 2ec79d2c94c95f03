type Floats = Float32Array | Float64Array;

/** Distance between neighbours along an axis in each factor; 0 if the factor does not have the axis. */
export interface Along {
  readonly length: number;
  readonly left: number;
  readonly right: number;
}

/**
 * `out[kept…] = Σ over summed of left · right`: matrix products, with or without batches, and any Einsum of two
 * operands. Sums are float64, rounded once.
 * @param out - one element per index of the kept axes, in their order
 */
export function contract(
  left: Floats,
  right: Floats,
  kept: readonly Along[],
  summed: readonly Along[],
  out: Floats,
): void {
  const [leftTerms, rightTerms] = [offsetsOf(summed, 'left'), offsetsOf(summed, 'right')];
  const [row, columns] = [kept.slice(0, -1), kept.at(-1) ?? { length: 1, left: 0, right: 0 }];
  const [leftRows, rightRows] = [offsetsOf(row, 'left'), offsetsOf(row, 'right')];
  const sums = new Float64Array(columns.length);
  for (let at = 0; at < leftRows.length; at++) {
    sums.fill(0);
    const [leftStart, rightStart] = [leftRows[at] as number, rightRows[at] as number];
    for (let term = 0; term < leftTerms.length; term++) {
      let a = leftStart + (leftTerms[term] as number);
      let b = rightStart + (rightTerms[term] as number);
      for (let column = 0; column < sums.length; column++, a += columns.left, b += columns.right) {
        sums[column] = (sums[column] as number) + (left[a] as number) * (right[b] as number);
      }
    }
    out.set(sums, at * columns.length);
  }
}

/** Offset in a factor of each index of several axes; the last axis varies fastest. */
function offsetsOf(axes: readonly Along[], side: 'left' | 'right'): Int32Array {
  let found = Int32Array.of(0);
  for (const axis of axes) {
    const next = new Int32Array(found.length * axis.length);
    let at = 0;
    for (const start of found)
      for (let index = 0; index < axis.length; index++) next[at++] = start + index * axis[side];
    found = next;
  }
  return found;
}
