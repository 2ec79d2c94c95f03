import { elementCount } from '../../../ir/dtype.ts';
import { intAttribute, intsAttribute } from '../../../ir/node.ts';
import { constant } from '../../../ir/tensor.ts';
import { type ReduceKind, type Reduction, reduce } from '../../../kernels/constant/reduce.ts';
import { axisOf, type Call, elementsOf, integers, isReal, type Operators, type Planned } from '../call.ts';

/** Reductions of real numbers along axes that lie beside each other. */
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
  const geometry = geometryOf(dims, axes);
  if (geometry === undefined || geometry.reduced === 0) return undefined;
  const keeps = intAttribute(node, 'keepdims', 1) !== 0;
  const left = keeps ? dims.map((dim, axis) => (axes.has(axis) ? 1 : dim)) : dims.filter((_, axis) => !axes.has(axis));
  const compute = ([bytes]: readonly Uint8Array[]): Float32Array | Float64Array =>
    reduce(elementsOf(bytes as Uint8Array, dtype) as Float32Array, kind, geometry);
  return [{ dtype, dims: left, reads: [x], compute, exact: isExact(kind, geometry), sure: true }];
}

/** Of a short list of integers, a shape for example. */
async function product({ node, inputs: [x, axes] }: Call): Promise<readonly Planned[] | undefined> {
  const list = axes === undefined && x?.dtype === 'int64' && x.dims.length === 1 ? await integers(x) : undefined;
  if (list === undefined || intsAttribute(node, 'axes') !== undefined) return undefined;
  const dims = intAttribute(node, 'keepdims', 1) !== 0 ? [1] : [];
  const found = list.reduce((a, b) => a * b, 1);
  return Number.isSafeInteger(found)
    ? [{ same: constant('', 'int64', dims, BigInt64Array.of(BigInt(found))), dims }]
    : undefined;
}

/** Undefined where the reduced axes do not lie beside each other. Axes of length 1 are nowhere. */
function geometryOf(dims: readonly number[], axes: ReadonlySet<number>): Reduction | undefined {
  const long = [...dims.keys()].filter((axis) => dims[axis] !== 1);
  const gone = long.filter((axis) => axes.has(axis));
  const [first = dims.length] = gone;
  const last = gone.at(-1) ?? first - 1;
  if (long.some((axis) => axis > first && axis < last && !axes.has(axis))) return undefined;
  const count = (from: number, to: number): number => elementCount(dims.slice(from, to));
  return { outer: count(0, first), reduced: count(first, last + 1), inner: count(last + 1, dims.length) };
}

/** ONNX Runtime adds along middle axes in an order of its own. */
function isExact(kind: ReduceKind, { outer, reduced: count, inner }: Reduction): boolean {
  return (kind !== 'sum' && kind !== 'mean') || outer === 1 || inner === 1 || count <= 2;
}
