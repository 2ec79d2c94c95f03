import { elementCount } from '../../../ir/dtype.ts';
import { floatAttribute, intAttribute } from '../../../ir/node.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { DEFAULT_EPSILON } from '../../../layers/normalization.ts';
import { axisOf, type Call, elementsOf, isReal, type Operators, type Planned } from '../call.ts';

type Floats = Float32Array | Float64Array;

/** Operators that scale rows by their own statistics, summed in float64 as in normalizing.ts. */
export const STANDARDIZING: Operators = {
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  LpNormalization: lpNormalization,
  Softmax: softmax,
};

/** Normalizes each channel of each image of `[batch, channels, …]`. */
function instanceNormalization({ node, inputs: [x, scale, bias] }: Call): readonly Planned[] | undefined {
  const [batch = 0, channels = 0] = x?.dims ?? [];
  if (x === undefined || x.dims.length < 3 || scale === undefined || bias === undefined) return undefined;
  if (![scale, bias].every((one) => one.dims.length === 1 && one.dims[0] === channels)) return undefined;
  const length = elementCount(x.dims.slice(2));
  const epsilon = floatAttribute(node, 'epsilon', DEFAULT_EPSILON);
  return rowwise([x, scale, bias], { rows: batch * channels, length }, (row, index, [gain, shift]) => {
    const channel = index % channels;
    standardize(row, epsilon);
    for (let at = 0; at < length; at++) {
      row[at] = (row[at] as number) * (gain?.[channel] as number) + (shift?.[channel] as number);
    }
  });
}

/** Normalizes over all axes from `axis` on; scale and bias run along the row. */
function layerNormalization({ node, inputs: [x, scale, bias] }: Call): readonly Planned[] | undefined {
  const axis = x && axisOf(intAttribute(node, 'axis', -1), x.dims.length);
  if (x === undefined || axis === undefined || scale === undefined || node.outputs.length > 1) return undefined;
  const length = elementCount(x.dims.slice(axis));
  const along = [scale, ...(bias === undefined ? [] : [bias])];
  if (!along.every((one) => elementCount(one.dims) === length)) return undefined;
  const epsilon = floatAttribute(node, 'epsilon', DEFAULT_EPSILON);
  return rowwise([x, ...along], { rows: elementCount(x.dims.slice(0, axis)), length }, (row, _, [gain, shift]) => {
    standardize(row, epsilon);
    for (let at = 0; at < length; at++) row[at] = (row[at] as number) * (gain?.[at] as number) + (shift?.[at] ?? 0);
  });
}

/** Up to opset 12, all axes from `axis` on form a row. */
function softmax({ node, opset, inputs: [x] }: Call): readonly Planned[] | undefined {
  const whole = opset < 13;
  const axis = x && axisOf(intAttribute(node, 'axis', whole ? 1 : -1), x.dims.length);
  if (x === undefined || axis === undefined) return undefined;
  const length = elementCount(x.dims.slice(axis, whole ? undefined : axis + 1));
  const inner = whole ? 1 : elementCount(x.dims.slice(axis + 1));
  const rows = elementCount(x.dims.slice(0, axis)) * inner;
  return rowwise([x], { rows, length, inner }, (row) => {
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let total = 0;
    for (let at = 0; at < length; at++) total += row[at] = Math.exp((row[at] as number) - most);
    for (let at = 0; at < length; at++) row[at] = (row[at] as number) / total;
  });
}

/** `x / ‖x‖` along an axis; 0 where the norm is 0. */
function lpNormalization({ node, inputs: [x] }: Call): readonly Planned[] | undefined {
  const axis = x && axisOf(intAttribute(node, 'axis', -1), x.dims.length);
  const p = intAttribute(node, 'p', 2);
  if (x === undefined || axis === undefined || (p !== 1 && p !== 2)) return undefined;
  const [length = 0, inner] = [x.dims[axis], elementCount(x.dims.slice(axis + 1))];
  return rowwise([x], { rows: elementCount(x.dims) / length, length, inner }, (row) => {
    const total = row.reduce((sum, one) => sum + Math.abs(one) ** p, 0);
    const norm = p === 2 ? Math.sqrt(total) : total;
    for (let at = 0; at < row.length; at++) row[at] = norm === 0 ? 0 : (row[at] as number) / norm;
  });
}

/** `(row − mean) / √(variance + ε)` */
function standardize(row: Float64Array, epsilon: number): void {
  const mean = row.reduce((sum, one) => sum + one, 0) / row.length;
  const variance = row.reduce((sum, one) => sum + (one - mean) ** 2, 0) / row.length;
  const factor = 1 / Math.sqrt(variance + epsilon);
  for (let at = 0; at < row.length; at++) row[at] = ((row[at] as number) - mean) * factor;
}

/** The number of rows, the elements of a row, and their stride `inner`. */
interface Rows {
  readonly rows: number;
  readonly length: number;
  readonly inner?: number;
}

/** Rewrites each row of the first tensor, with the contents of the others. */
function rowwise(
  reads: readonly [Tensor, ...Tensor[]],
  { rows, length, inner = 1 }: Rows,
  change: (row: Float64Array, index: number, others: readonly Floats[]) => void,
): readonly Planned[] | undefined {
  const [{ dtype, dims }] = reads;
  if (!isReal(dtype) || reads.some((one) => one.dtype !== dtype) || elementCount(dims) === 0) return undefined;
  const compute = (loaded: readonly Uint8Array[]): Floats => {
    const [first, ...others] = loaded.map((one) => elementsOf(one, dtype) as Floats);
    const values = (first as Floats).slice() as Floats;
    const row = new Float64Array(length);
    for (let index = 0; index < rows; index++) {
      const start = Math.floor(index / inner) * length * inner + (index % inner);
      for (let at = 0; at < length; at++) row[at] = values[start + at * inner] as number;
      change(row, index, others);
      for (let at = 0; at < length; at++) values[start + at * inner] = row[at] as number;
    }
    return values;
  };
  return [{ dtype, dims, reads, compute, exact: false, sure: true }];
}
