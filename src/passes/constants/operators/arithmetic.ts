import { DTYPES, type DType, elementCount } from '../../../ir/dtype.ts';
import { floatAttribute, intAttribute } from '../../../ir/node.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { chooseElements, combineElements, type Elements } from '../../../kernels/constant/elementwise.ts';
import { broadcastDims } from '../../../kernels/constant/shape.ts';
import {
  type Call,
  type Computed,
  elementsOf,
  emptyElements,
  isComputed,
  isReal,
  type Operator,
  type Operators,
  type Planned,
  sizeOf,
} from '../call.ts';

/** A binary operation on elements: reals are rounded once to their type, integers wrap around. */
interface Binary {
  readonly real: (a: number, b: number) => number;
  /** Undefined: there is no answer. */
  readonly whole?: (a: bigint, b: bigint) => bigint | undefined;
}

const LOWEST = -(2n ** 63n);

const PAIRS: Readonly<Record<string, Binary>> = {
  Add: { real: (a, b) => a + b, whole: (a, b) => a + b },
  Sub: { real: (a, b) => a - b, whole: (a, b) => a - b },
  Mul: { real: (a, b) => a * b, whole: (a, b) => a * b },
  Div: { real: (a, b) => a / b, whole: (a, b) => (b === 0n || (a === LOWEST && b === -1n) ? undefined : a / b) },
  Max: { real: larger, whole: (a, b) => (a > b ? a : b) },
  Min: { real: (a, b) => -larger(-a, -b), whole: (a, b) => (a < b ? a : b) },
};

/** The remainder has the sign of the divisor. */
const MOD: Binary = {
  real: () => Number.NaN,
  whole: (a, b) => (b === 0n ? undefined : a - b * (a / b - (a % b !== 0n && a < 0n !== b < 0n ? 1n : 0n))),
};

/** The larger number; of two zeros the second one, as SSE does. */
function larger(a: number, b: number): number {
  return Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : a > b ? a : b;
}

const COMPARISONS: Readonly<Record<string, (a: number | bigint, b: number | bigint) => boolean>> = {
  Equal: (a, b) => a === b,
  Less: (a, b) => a < b,
  Greater: (a, b) => a > b,
  LessOrEqual: (a, b) => a <= b,
  GreaterOrEqual: (a, b) => a >= b,
};

const LOGIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  And: (a, b) => a & b,
  Or: (a, b) => a | b,
  Xor: (a, b) => a ^ b,
};

/** Operators on one real number; `exact` where ONNX Runtime gives the same bits. */
const SINGLES: Readonly<Record<string, { readonly of: (one: number) => number; readonly exact: boolean }>> = {
  Neg: { of: (one) => -one, exact: true },
  Abs: { of: Math.abs, exact: true },
  Sqrt: { of: Math.sqrt, exact: true },
  Reciprocal: { of: (one) => 1 / one, exact: true },
  Floor: { of: Math.floor, exact: true },
  Ceil: { of: Math.ceil, exact: true },
  Exp: { of: Math.exp, exact: false },
  Log: { of: Math.log, exact: false },
  Relu: { of: (one) => (one < 0 ? 0 : one), exact: false },
  Sign: { of: Math.sign, exact: false },
  Tanh: { of: Math.tanh, exact: false },
  Sigmoid: { of: (one) => 1 / (1 + Math.exp(-one)), exact: false },
  Softplus: { of: (one) => Math.max(one, 0) + Math.log1p(Math.exp(-Math.abs(one))), exact: false },
  Round: { of: halfToEven, exact: false },
};

/** The nearest integer, ties to even. */
function halfToEven(one: number): number {
  const low = Math.floor(one);
  const over = one - low;
  return over < 0.5 || (over === 0.5 && low % 2 === 0) ? low : low + 1;
}

/** Operators that compute element by element, as ONNX Runtime does: each result is rounded to its type. */
export const ARITHMETIC: Operators = {
  ...table(PAIRS, (one) => (call) => folded(call, one)),
  Sum: (call) => folded(call, PAIRS['Add'] as Binary),
  Mod: (call) => (intAttribute(call.node, 'fmod', 0) === 0 ? folded(call, MOD) : undefined),
  ...table(COMPARISONS, (one) => (call) => compared(call, one)),
  ...table(LOGIC, (one) => ({ inputs: [a, b] }) => {
    const dims = a?.dtype === 'bool' && b?.dtype === 'bool' ? broadcastDims(a.dims, b.dims) : undefined;
    return dims && [pair(a as Tensor, b as Tensor, 'bool', dims, (x, y) => one(x as number, y as number))];
  }),
  ...table(
    SINGLES,
    ({ of, exact }) =>
      ({ inputs: [x] }) =>
        x && single(x, of, exact),
  ),
  Not: ({ inputs: [x] }) => (x?.dtype === 'bool' ? single(x, (one) => 1 - one, true) : undefined),
  Pow: power,
  Cast: ({ node, inputs: [x] }) => cast(x, DTYPES[intAttribute(node, 'to', 0)] ?? 'undefined'),
  CastLike: ({ inputs: [x, like] }) => cast(x, like?.dtype ?? 'undefined'),
  Clip: clip,
  Where: where,
};

function table<T>(from: Readonly<Record<string, T>>, make: (one: T) => Operator): Operators {
  return Object.fromEntries(Object.entries(from).map(([name, one]) => [name, make(one)]));
}

/** Before opset 7, operands are broadcast differently. */
const LOWEST_OPSET = 7;

/** `a ∘ b ∘ c …`, two at a time. */
function folded({ inputs, opset }: Call, { real, whole }: Binary): readonly Planned[] | undefined {
  const [first] = inputs;
  if (first === undefined || opset < LOWEST_OPSET || !isComputed(first.dtype) || first.dtype === 'bool')
    return undefined;
  if (inputs.some((one) => one?.dtype !== first.dtype)) return undefined;
  const all = inputs as readonly Tensor[];
  const { dtype } = first;
  const dims = broadcastDims(...all.map((one) => one.dims));
  if (dims === undefined || (!isReal(dtype) && whole === undefined)) return undefined;
  const compute = (loaded: readonly Uint8Array[]): Elements | undefined => {
    let unknown = false;
    const integer = (a: bigint, b: bigint): bigint => {
      const found = whole?.(a, b);
      unknown ||= found === undefined;
      return found ?? 0n;
    };
    const operation = operationOf(dtype, real, integer);
    let left = { values: elementsOf(loaded[0] as Uint8Array, dtype), dims: first.dims };
    for (const [index, bytes] of loaded.entries()) {
      if (index === 0) continue;
      const right = { values: elementsOf(bytes, dtype), dims: (all[index] as Tensor).dims };
      const together = broadcastDims(left.dims, right.dims) as number[];
      const values = combineElements([left, right], together, emptyElements(dtype, together), operation);
      left = { values, dims: together };
    }
    return unknown ? undefined : left.values;
  };
  return [{ dtype, dims, reads: all, compute, sure: isReal(dtype) }];
}

/** The operation on elements as they lie: int64 are bigint, int32 numbers. */
function operationOf(
  dtype: Computed,
  real: (a: number, b: number) => number,
  whole: (a: bigint, b: bigint) => bigint,
): (a: number | bigint, b: number | bigint) => number | bigint {
  if (dtype === 'int64') return (a, b) => whole(a as bigint, b as bigint);
  if (dtype === 'int32') return (a, b) => Number(BigInt.asIntN(32, whole(BigInt(a), BigInt(b))));
  return (a, b) => real(a as number, b as number);
}

function pair(
  a: Tensor,
  b: Tensor,
  dtype: Computed,
  dims: readonly number[],
  operation: (a: number | bigint, b: number | bigint) => number | bigint,
): Planned {
  const compute = ([left, right]: readonly Uint8Array[]): Elements =>
    combineElements(
      [
        { values: elementsOf(left as Uint8Array, a.dtype as Computed), dims: a.dims },
        { values: elementsOf(right as Uint8Array, b.dtype as Computed), dims: b.dims },
      ],
      dims,
      emptyElements(dtype, dims),
      operation,
    );
  return { dtype, dims, reads: [a, b], compute, sure: true };
}

function compared(
  { inputs: [a, b], opset }: Call,
  holds: (a: number | bigint, b: number | bigint) => boolean,
): readonly Planned[] | undefined {
  if (a === undefined || b === undefined || a.dtype !== b.dtype || !isComputed(a.dtype)) return undefined;
  const dims = opset < LOWEST_OPSET ? undefined : broadcastDims(a.dims, b.dims);
  return dims && [pair(a, b, 'bool', dims, (x, y) => Number(holds(x, y)))];
}

function single(x: Tensor, of: (one: number) => number, exact: boolean): readonly Planned[] | undefined {
  const { dtype, dims } = x;
  if (!isReal(dtype) && dtype !== 'bool') return undefined;
  const compute = ([bytes]: readonly Uint8Array[]): Elements => {
    const values = elementsOf(bytes as Uint8Array, dtype) as Float32Array;
    return values.map(of);
  };
  return [{ dtype, dims, reads: [x], compute, exact, sure: true }];
}

/** ONNX Runtime multiplies for the exponents 2 and 3; for others it calls `pow` of the system. */
async function power({ inputs: [x, y], opset }: Call): Promise<readonly Planned[] | undefined> {
  if (x === undefined || y === undefined || !isReal(x.dtype) || opset < LOWEST_OPSET) return undefined;
  if (elementCount(y.dims) !== 1 || !isComputed(y.dtype) || y.dims.length > x.dims.length) return undefined;
  const exponent = Number(elementsOf(await y.load(), y.dtype)[0]);
  if (exponent === 2) return single(x, (one) => one * one, true);
  if (exponent === 3) return folded({ inputs: [x, x, x], opset } as unknown as Call, PAIRS['Mul'] as Binary);
  return single(x, exponent === 0.5 ? Math.sqrt : (one) => one ** exponent, false);
}

/** A float32 represents every integer up to this. */
const EXACT = 2 ** 24;

/** Cast between numbers, but not from 16-bit floats and small integers, in which weights are stored. */
function cast(x: Tensor | undefined, to: DType): readonly Planned[] | undefined {
  if (x === undefined || !isComputed(x.dtype) || !isComputed(to)) return undefined;
  const { dtype, dims } = x;
  if (dtype === to) return [{ same: x, dims }];
  const compute = ([bytes]: readonly Uint8Array[]): Elements | undefined => {
    const out = emptyElements(to, dims);
    let fits = true;
    for (const [at, one] of elementsOf(bytes as Uint8Array, dtype).entries()) {
      if (to === 'bool') out[at] = Number(one !== 0 && one !== 0n);
      else if (isReal(to)) {
        const isWhole = typeof one === 'bigint' || dtype === 'int32';
        fits &&= !isWhole || Math.abs(Number(one)) <= EXACT;
        out[at] = Number(one);
      } else {
        // Out of range, the result depends on the processor.
        const cut = typeof one === 'bigint' ? one : Number.isFinite(one) ? BigInt(Math.trunc(one)) : LOWEST;
        fits &&= cut === BigInt.asIntN(to === 'int32' ? 32 : 63, cut);
        if (fits) out[at] = to === 'int64' ? cut : Number(cut);
      }
    }
    return fits ? out : undefined;
  };
  return [{ dtype: to, dims, reads: [x], compute, sure: isReal(dtype) && isReal(to) }];
}

/** Up to opset 10 the bounds are attributes. */
async function clip({ node, opset, inputs: [x, low, high] }: Call): Promise<readonly Planned[] | undefined> {
  if (x === undefined || !isReal(x.dtype)) return undefined;
  const { dtype } = x;
  const bound = async (given: Tensor | undefined, name: string, none: number): Promise<number | undefined> => {
    if (opset < 11) return floatAttribute(node, name, none);
    if (given === undefined) return none;
    if (given.dtype !== dtype || elementCount(given.dims) !== 1) return undefined;
    return elementsOf(await given.load(), dtype)[0] as number;
  };
  const least = await bound(low, 'min', Number.NEGATIVE_INFINITY);
  const most = await bound(high, 'max', Number.POSITIVE_INFINITY);
  if (least === undefined || most === undefined || !(least <= most)) return undefined;
  return single(x, (one) => (one < least ? least : one > most ? most : one), true);
}

function where({ inputs: [condition, yes, no] }: Call): readonly Planned[] | undefined {
  if (condition?.dtype !== 'bool' || yes === undefined || no === undefined || yes.dtype !== no.dtype) return undefined;
  const size = sizeOf(yes.dtype);
  const dims = broadcastDims(condition.dims, yes.dims, no.dims);
  if (size === undefined || dims === undefined) return undefined;
  const compute = (loaded: readonly Uint8Array[]): Uint8Array => {
    const [test, first, second] = loaded as [Uint8Array, Uint8Array, Uint8Array];
    const operand = (values: Uint8Array, one: Tensor): { values: Uint8Array; dims: readonly number[] } => ({
      values,
      dims: one.dims,
    });
    return chooseElements(operand(test, condition), operand(first, yes), operand(second, no), dims, size);
  };
  return [{ dtype: yes.dtype, dims, reads: [condition, yes, no], compute, sure: true }];
}
