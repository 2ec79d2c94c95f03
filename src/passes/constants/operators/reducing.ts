import { bitsOf, elementCount } from '../../../ir/dtype.ts';
import { intAttribute, intsAttribute } from '../../../ir/node.ts';
import { constant } from '../../../ir/tensor.ts';
import { pick } from '../../../kernels/constant/move.ts';
import { type ReduceKind, type Reduction, reduce } from '../../../kernels/constant/reduce.ts';
import { arithmetic, stridesOf, type Walk } from '../../../kernels/constant/shape.ts';
import { axisOf, type Call, elementsOf, integers, isReal, type Operators, type Planned } from '../call.ts';

/** Reductions of real numbers. */
export const REDUCING: Operators = {
  ReduceSum: (call) => reduced(call, 'sum'),
  ReduceMean: (call) => reduced(call, 'mean'),
  ReduceSumSquare: (call) => reduced(call, 'sum_of_squares'),
  ReduceL2: (call) => reduced(call, 'norm'),
  ReduceMax: (call) => reduced(call, 'max'),
  ReduceMin: (call) => reduced(call, 'min'),
  ReduceProd: product,
};

async function reduced({ node, inputs: [x, second] }: Call, kind: ReduceKind): Promise<readonly Planned[] | undefined> {
  if (x === undefined || !isReal(x.dtype)) return undefined;
  const { dtype, dims } = x;
  const given = intsAttribute(node, 'axes') ?? (await integers(second));
  if (second !== undefined && given === undefined) return undefined;
  const none = given === undefined || given.length === 0;
  if (none && intAttribute(node, 'noop_with_empty_axes', 0) !== 0) return undefined;
  const list = none ? dims.map((_, axis) => axis) : given.map((axis) => axisOf(axis, dims.length));
  if (list.includes(undefined)) return undefined;
  const axes = new Set(list as number[]);
  const { geometry, walk } = geometryOf(dims, axes);
  if (geometry.reduced === 0) return undefined;
  const keeps = intAttribute(node, 'keepdims', 1) !== 0;
  const left = keeps ? dims.map((dim, axis) => (axes.has(axis) ? 1 : dim)) : dims.filter((_, axis) => !axes.has(axis));
  const compute = ([bytes = new Uint8Array()]: readonly Uint8Array[]): Float32Array | Float64Array => {
    const ordered = walk === undefined ? bytes : pick(bytes, bitsOf(dtype) / 8, walk);
    return reduce(elementsOf(ordered, dtype) as Float32Array, kind, geometry);
  };
  const exact = walk === undefined ? isExact(kind, geometry) : kind === 'max' || kind === 'min';
  return [{ dtype, dims: left, reads: [x], compute, exact, sure: true }];
}

/** The product of a short list of integers, e.g. of a shape. */
async function product({ node, inputs: [x, axes] }: Call): Promise<readonly Planned[] | undefined> {
  const list = axes === undefined && x?.dtype === 'int64' && x.dims.length === 1 ? await integers(x) : undefined;
  if (list === undefined || intsAttribute(node, 'axes') !== undefined) return undefined;
  const dims = intAttribute(node, 'keepdims', 1) !== 0 ? [1] : [];
  const found = list.reduce((a, b) => a * b, 1);
  return Number.isSafeInteger(found)
    ? [{ same: constant('', 'int64', dims, BigInt64Array.of(BigInt(found))), dims }]
    : undefined;
}

/**
 * The layout of a reduction. If other axes lie between the reduced ones, `walk` moves the reduced axes last. Axes of
 * length 1 are ignored.
 */
function geometryOf(
  dims: readonly number[],
  axes: ReadonlySet<number>,
): { readonly geometry: Reduction; readonly walk?: Walk } {
  const long = [...dims.keys()].filter((axis) => dims[axis] !== 1);
  const gone = long.filter((axis) => axes.has(axis));
  const [first = dims.length] = gone;
  const last = gone.at(-1) ?? first - 1;
  if (long.some((axis) => axis > first && axis < last && !axes.has(axis))) {
    const kept = long.filter((axis) => !axes.has(axis));
    const count = (list: readonly number[]): number => elementCount(list.map((axis) => dims[axis] as number));
    const strides = stridesOf(dims);
    const steps = [...kept, ...gone].map((axis) => arithmetic(dims[axis] as number, 0, strides[axis] as number));
    return { geometry: { outer: count(kept), reduced: count(gone), inner: 1 }, walk: { base: 0, steps } };
  }
  const count = (from: number, to: number): number => elementCount(dims.slice(from, to));
  return {
    geometry: { outer: count(0, first), reduced: count(first, last + 1), inner: count(last + 1, dims.length) },
  };
}

/** Whether ONNX Runtime computes the same bits: it adds along middle axes in another order. */
function isExact(kind: ReduceKind, { outer, reduced: count, inner }: Reduction): boolean {
  return (kind !== 'sum' && kind !== 'mean') || outer === 1 || inner === 1 || count <= 2;
}
