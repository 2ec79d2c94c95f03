type Floats = Float32Array | Float64Array;

/** How far apart neighbours along an axis lie in both factors; 0 where a factor has not that axis. */
export interface Along {
  readonly length: number;
  readonly left: number;
  readonly right: number;
}

/**
 * `out[kept…] = Σ over summed of left · right`: products of matrices, with or without batches, and whatever an Einsum
 * of two operands says. Sums are float64, rounded once.
 * @param out - as many elements as the kept axes have together, in their order
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

/** Where each place of several axes lies in a factor, the last axis running fastest. */
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
