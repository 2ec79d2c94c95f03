import { elementCount } from '../../../ir/dtype.ts';
import { floatAttribute, stringAttribute } from '../../../ir/node.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { type Along, contract } from '../../../kernels/constant/contract.ts';
import { combineElements, type Elements } from '../../../kernels/constant/elementwise.ts';
import { broadcastDims, stridesOf } from '../../../kernels/constant/shape.ts';
import { gemmParts } from '../../../layers/gemm.ts';
import { type Call, elementsOf, emptyElements, isReal, type Operators, type Planned } from '../call.ts';

/** Products, summed in float64: ONNX Runtime's results may differ in the last bits. */
export const CONTRACTING: Operators = { MatMul: matmul, Gemm: gemm, Einsum: einsum };

/** The axis letters of two factors and of the result. */
interface Letters {
  readonly left: string;
  readonly right: string;
  readonly out: string;
}

/** Letters for batch dims: capitals, because matrix dims have small letters. */
const BATCH = 'ABCDEFGH';

/** As numpy: a vector is a row on the left, a column on the right. */
function matmul({ inputs: [a, b] }: Call): readonly Planned[] | undefined {
  if (a === undefined || b === undefined || a.dims.length === 0 || b.dims.length === 0) return undefined;
  const batches = Math.max(a.dims.length, b.dims.length) - 2;
  if (batches > BATCH.length) return undefined;
  const batch = (one: Tensor): string => BATCH.slice(0, Math.max(0, batches)).slice(-(one.dims.length - 2));
  const left = a.dims.length === 1 ? 'k' : `${a.dims.length > 2 ? batch(a) : ''}mk`;
  const right = b.dims.length === 1 ? 'k' : `${b.dims.length > 2 ? batch(b) : ''}kn`;
  const own = (left.includes('m') ? 'm' : '') + (right.includes('n') ? 'n' : '');
  const out = BATCH.slice(0, Math.max(0, batches)) + own;
  return contracted([a, b], { left, right, out });
}

function einsum({ node, inputs }: Call): readonly Planned[] | undefined {
  const equation = stringAttribute(node, 'equation', '').replaceAll(' ', '');
  const found = /^([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]*)$/.exec(equation);
  const [a, b] = inputs;
  if (found === null || inputs.length !== 2 || a === undefined || b === undefined) return undefined;
  const [, left = '', right = '', out = ''] = found;
  const once = [left, right, out].every((one) => new Set(one).size === one.length);
  const known = [...out].every((one) => left.includes(one) || right.includes(one));
  return once && known ? contracted([a, b], { left, right, out }) : undefined;
}

function gemm({ node, inputs: [a, b, c], opset }: Call): readonly Planned[] | undefined {
  const { alpha, transA, transB } = gemmParts(node);
  if (a === undefined || b === undefined || a.dims.length !== 2 || b.dims.length !== 2 || opset < 7) return undefined;
  const [product] = contracted([a, b], { left: transA ? 'km' : 'mk', right: transB ? 'nk' : 'kn', out: 'mn' }) ?? [];
  if (product === undefined || 'same' in product) return undefined;
  const { dims, dtype } = product;
  if (!isReal(dtype)) return undefined;
  const beta = floatAttribute(node, 'beta', 1);
  const fits = c === undefined || (c.dtype === dtype && broadcastDims(c.dims, dims)?.join() === dims.join());
  if (!fits) return undefined;
  const compute = (loaded: readonly Uint8Array[]): Elements | undefined => {
    const values = product.compute(loaded) as Float32Array | undefined;
    if (values === undefined) return undefined;
    for (let at = 0; alpha !== 1 && at < values.length; at++) values[at] = (values[at] as number) * alpha;
    if (c === undefined) return values;
    const added = { values: elementsOf(loaded[2] as Uint8Array, dtype) as Float32Array, dims: c.dims };
    return combineElements([{ values, dims }, added], dims, values, (x, y) => x + beta * y);
  };
  return [{ ...product, reads: c === undefined ? [a, b] : [a, b, c], compute }];
}

function contracted([a, b]: readonly [Tensor, Tensor], letters: Letters): readonly Planned[] | undefined {
  const { dtype } = a;
  if (!isReal(dtype) || b.dtype !== dtype) return undefined;
  if (a.dims.length !== letters.left.length || b.dims.length !== letters.right.length) return undefined;
  const axes = axesOf([a, b], letters);
  if (axes === undefined) return undefined;
  const { kept, summed } = axes;
  const dims = kept.map((one) => one.length);
  const terms = elementCount(summed.map((one) => one.length));
  // Axes that only one factor has could make the sums longer than both factors.
  if (terms > Math.max(elementCount(a.dims), elementCount(b.dims))) return undefined;
  const compute = ([left, right]: readonly Uint8Array[]): Elements => {
    const out = emptyElements(dtype, dims) as Float32Array;
    contract(
      elementsOf(left as Uint8Array, dtype) as Float32Array,
      elementsOf(right as Uint8Array, dtype) as Float32Array,
      kept,
      summed,
      out,
    );
    return out;
  };
  const work = elementCount(dims) * Math.max(1, terms);
  return [{ dtype, dims, reads: [a, b], compute, work, exact: false, sure: true }];
}

/** The axes that stay, in the order of the result, and those that are summed over; undefined if dims do not fit. */
function axesOf(
  [a, b]: readonly [Tensor, Tensor],
  { left, right, out }: Letters,
): { readonly kept: Along[]; readonly summed: Along[] } | undefined {
  const [leftSteps, rightSteps] = [stridesOf(a.dims), stridesOf(b.dims)];
  const along = new Map<string, Along>();
  for (const letter of new Set(left + right)) {
    const [i, j] = [left.indexOf(letter), right.indexOf(letter)];
    const [m, n] = [a.dims[i] ?? 1, b.dims[j] ?? 1];
    if (i >= 0 && j >= 0 && m !== n && m !== 1 && n !== 1) return undefined;
    const own = (at: number, dim: number, steps: readonly number[]): number => (dim === 1 ? 0 : (steps[at] ?? 0));
    along.set(letter, {
      length: i >= 0 && j >= 0 ? (m === 1 ? n : m) : Math.max(m, n),
      left: own(i, m, leftSteps),
      right: own(j, n, rightSteps),
    });
  }
  const of = (letters: Iterable<string>): Along[] => [...letters].map((one) => along.get(one) as Along);
  return { kept: of(out), summed: of([...along.keys()].filter((one) => !out.includes(one))) };
}
