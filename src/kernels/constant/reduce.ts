/** The layout of a reduction over a row-major tensor: `outer` rows of `reduced` groups of `inner` elements. */
export interface Reduction {
  readonly outer: number;
  readonly reduced: number;
  readonly inner: number;
}

/** How elements are reduced to one. */
export type ReduceKind = 'sum' | 'mean' | 'sum_of_squares' | 'norm' | 'max' | 'min';

type Floats = Float32Array | Float64Array;

/** Elements per SSE vector, of float32 or float64. */
const lanesOf = (values: Floats): number => (values instanceof Float32Array ? 4 : 2);

/**
 * The reduction, with every addition rounded to the element type and in the order in which ONNX Runtime 1.30 adds on
 * x64: contiguous rows as Eigen adds vectors, all others one by one.
 * @see https://gitlab.com/libeigen/eigen Core/Redux.h, `redux_impl` with `LinearVectorizedTraversal`
 */
export function reduce<T extends Floats>(values: T, kind: ReduceKind, { outer, reduced, inner }: Reduction): T {
  const like = (length: number): T => new (values.constructor as new (length: number) => T)(length);
  const out = like(outer * inner);
  const squares = kind === 'sum_of_squares' || kind === 'norm';
  const terms = squares ? (values.map((one) => one * one) as T) : values;
  // Only for a whole tensor does it square all elements first and then add.
  const vectorized = inner === 1 && (squares ? outer === 1 : true);
  for (let row = 0; row < outer; row++) {
    for (let column = 0; column < inner; column++) {
      const start = row * reduced * inner + column;
      out[row * inner + column] =
        kind === 'max' || kind === 'min'
          ? extreme(values, start, reduced, inner, kind)
          : vectorized
            ? sumOfVectors(terms, start, reduced, like)
            : sumInOrder(terms, start, reduced, inner, like(1));
    }
  }
  if (kind === 'mean') for (let at = 0; at < out.length; at++) out[at] = (out[at] as number) / reduced;
  if (kind === 'norm') for (let at = 0; at < out.length; at++) out[at] = Math.sqrt(out[at] as number);
  return out;
}

function sumInOrder(values: Floats, start: number, count: number, step: number, sum: Floats): number {
  sum[0] = 0;
  for (let at = start, left = count; left > 0; at += step, left--) sum[0] = (sum[0] as number) + (values[at] as number);
  return sum[0] as number;
}

/** Two vectors of sums. Elements before the first and after the last aligned vector are added at the end. */
function sumOfVectors(values: Floats, start: number, count: number, like: (length: number) => Floats): number {
  const lanes = lanesOf(values);
  const before = Math.min((lanes - (start % lanes)) % lanes, count);
  const whole = Math.floor((count - before) / lanes);
  if (whole === 0) return sumInOrder(values, start, count, 1, like(1));
  const first = start + before;
  const pair = like(2 * lanes);
  for (let vector = 0; vector < whole - (whole % 2); vector++)
    addTo(pair, (vector % 2) * lanes, values, first + vector * lanes, lanes);
  if (whole > 1) addTo(pair, 0, pair, lanes, lanes);
  if (whole % 2 === 1) addTo(pair, 0, values, first + (whole - 1) * lanes, lanes);
  for (let width = lanes / 2; width >= 1; width /= 2) addTo(pair, 0, pair, width, width);
  const sum = pair.subarray(0, 1);
  const add = (from: number, to: number): void => {
    for (let at = from; at < to; at++) sum[0] = (sum[0] as number) + (values[at] as number);
  };
  add(start, first);
  add(first + whole * lanes, start + count);
  return sum[0] as number;
}

function addTo(sums: Floats, at: number, values: Floats, from: number, count: number): void {
  for (let lane = 0; lane < count; lane++) {
    sums[at + lane] = (sums[at + lane] as number) + (values[from + lane] as number);
  }
}

function extreme(values: Floats, start: number, count: number, step: number, kind: 'max' | 'min'): number {
  let found = values[start] as number;
  const sign = kind === 'max' ? 1 : -1;
  for (let at = start, left = count; left > 0; at += step, left--) {
    const one = values[at] as number;
    if (Number.isNaN(one)) return one;
    if (one * sign > found * sign) found = one;
  }
  return found;
}
