/** A matrix inside an array, row-major. */
export interface Window {
  readonly data: Float64Array;
  /** The index of its first element. */
  readonly at: number;
  /** Elements from one row to the next. */
  readonly stride: number;
}

/** Columns that are updated for all rows before the next ones, so that what they are made of stays in fast memory. */
const TILE = 256;

/** `c += a · b`, with `a` of `rows × depth` and `b` of `depth × columns`, in float64 and always in the same order. */
export function addProduct(c: Window, a: Window, b: Window, rows: number, depth: number, columns: number): void {
  for (let start = 0; start < columns; start += TILE) {
    const width = Math.min(TILE, columns - start);
    for (let row = 0; row < rows; row++) {
      const into = c.at + row * c.stride + start;
      const left = a.at + row * a.stride;
      let k = 0;
      for (; k + 3 < depth; k += 4) addFour(c.data, into, a.data, left + k, b, b.at + k * b.stride + start, width);
      for (; k < depth; k++)
        addRow(c.data, into, a.data[left + k] as number, b.data, b.at + k * b.stride + start, width);
    }
  }
}

/** `into[…] += factor · from[…]`. */
export function addRow(
  into: Float64Array,
  at: number,
  factor: number,
  from: Float64Array,
  source: number,
  count: number,
): void {
  if (factor === 0) return;
  for (let i = 0; i < count; i++) into[at + i] = (into[at + i] as number) + factor * (from[source + i] as number);
}

function addFour(
  into: Float64Array,
  at: number,
  factors: Float64Array,
  first: number,
  { data, stride }: Window,
  p: number,
  count: number,
): void {
  const w = factors[first] as number;
  const x = factors[first + 1] as number;
  const y = factors[first + 2] as number;
  const z = factors[first + 3] as number;
  if (w === 0 && x === 0 && y === 0 && z === 0) return;
  const [q, r, s] = [p + stride, p + 2 * stride, p + 3 * stride];
  for (let i = 0; i < count; i++) {
    into[at + i] =
      (into[at + i] as number) +
      (w * (data[p + i] as number) +
        x * (data[q + i] as number) +
        y * (data[r + i] as number) +
        z * (data[s + i] as number));
  }
}
