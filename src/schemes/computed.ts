import { partOf } from '../bytes/stored.ts';
import { byteLengthOf, DTYPES, type DType, elementCount, isFloat } from '../ir/dtype.ts';
import type { Constant, Graph } from '../ir/graph.ts';
import { safeInteger } from '../ir/integers.ts';
import { intAttribute, isOp, type Node, stringAttribute } from '../ir/node.ts';
import { reshapedDims } from '../ir/reshapedDims.ts';
import { piecewise, type Tensor } from '../ir/tensor.ts';
import { broadcastDims } from '../kernels/constant/shape.ts';
import { toFloat32, toIntegers } from '../kernels/views.ts';
import type { SchemeFacts } from './decodable.ts';
import { isPacked, isReadable, unpacked } from './packed.ts';
import type { Reals } from './reals.ts';
import { granularityName } from './scheme.ts';

/** Elements `from` to `to` of the first axis, all behind them included. */
type Lines = (from: number, to: number) => Promise<Float32Array>;

/**
 * What nodes make of constants when a model is loaded: codes taken out of bytes, and made real. It is computed a few
 * lines of its first axis at a time.
 */
export interface Computed {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Reads what is small; gives what computes lines. */
  readonly open: () => Promise<Lines>;
  /** The integers it is made of: the codes, or the largest. */
  readonly source: Constant | undefined;
  /** All constants it is made of. */
  readonly parts: readonly Tensor[];
  /** Bits of each code, where bytes hold several. */
  readonly bits: number | undefined;
  /** Whether as many zero points as scales are taken off. */
  readonly centred: boolean;
  /** Whether floats are multiplied: by scales. */
  readonly scaled: boolean;
}

/** Constants up to so many elements are in memory meanwhile, whole. */
const SMALL = 1 << 16;
/** Nodes behind a value. */
const MAX_NODES = 24;
/** What int32 holds and float32 does exactly. */
const WHOLE_TYPES: readonly DType[] = ['uint8', 'int8', 'int32'];

/** What a value is computed as, where constants and operators that unpack codes make it; undefined for all others. */
export async function computedAt(graph: Graph, value: string, left: number = MAX_NODES): Promise<Computed | undefined> {
  let scope = graph;
  while (scope.parent !== undefined && !scope.defines(value)) scope = scope.parent;
  const held = scope.constant(value);
  if (held !== undefined) return leaf(held);
  const node = scope.producer(value);
  if (node === undefined || left <= 0 || node.outputs[0] !== value) return undefined;
  const operator = isUnpacking(node) ? OPERATORS[node.opType] : undefined;
  if (operator === undefined) return undefined;
  const inputs: Computed[] = [];
  for (const one of node.inputs) {
    const found = await computedAt(scope, one, left - 1);
    if (found === undefined) return undefined;
    inputs.push(found);
  }
  return operator(node, inputs);
}

/** Whether a node may be one of those that unpack codes. */
export function isUnpacking(node: Node): boolean {
  return Object.hasOwn(OPERATORS, node.opType) && isOp(node, node.opType);
}

function leaf(held: Constant): Computed | undefined {
  const { tensor } = held;
  const { dtype, dims } = tensor;
  if (!isFloat(dtype) && !isReadable(dtype) && dtype !== 'int64') return undefined;
  if (dtype === 'int64' && elementCount(dims) > 64) return undefined;
  const source = isReadable(dtype) && dtype !== 'int32' ? held : undefined;
  return {
    dtype,
    dims,
    open: () => opened(tensor),
    source,
    parts: [tensor],
    bits: undefined,
    centred: false,
    scaled: false,
  };
}

async function opened(tensor: Tensor): Promise<Lines> {
  const { dims, dtype, stored, byteLength } = tensor;
  const toFloats = (bytes: Uint8Array): Float32Array => {
    if (isFloat(dtype)) return toFloat32(bytes, dtype);
    if (dtype === 'int64') return Float32Array.from(toIntegers(bytes, dtype), Number);
    return unpacked(bytes, dtype);
  };
  const line = elementCount(dims.slice(1));
  if (stored === undefined || isPacked(dtype) || elementCount(dims) <= SMALL || byteLength !== stored.byteLength) {
    const all = toFloats(await tensor.load());
    return async (from, to) => all.subarray(from * line, to * line);
  }
  const size = byteLengthOf(dtype, line);
  return async (from, to) => {
    const bytes = new Uint8Array((to - from) * size);
    await partOf(stored, from * size, bytes.byteLength).readInto(bytes, 0);
    return toFloats(bytes);
  };
}

type Operator = (node: Node, inputs: readonly Computed[]) => Promise<Computed | undefined> | Computed | undefined;

const OPERATORS: Readonly<Record<string, Operator>> = {
  Identity: (_, [x]) => x,
  Cast: (node, [x]) => {
    const dtype = DTYPES[intAttribute(node, 'to', 0)] ?? 'undefined';
    const known = isFloat(dtype) || WHOLE_TYPES.includes(dtype);
    // A float becomes whole by another rule.
    return x !== undefined && known && (isFloat(dtype) || !isFloat(x.dtype)) ? { ...x, dtype } : undefined;
  },
  BitShift: (node, [x, by]) =>
    stringAttribute(node, 'direction', '') === 'RIGHT' ? paired(x, by, (a, b) => a >>> b) : undefined,
  Mod: async (_, [x, by]) => {
    const one = by === undefined ? undefined : await numberOf(by);
    const made = one === undefined || one < 1 ? undefined : paired(x, by, (a, b) => a % b);
    return made && isWhole(made) ? { ...made, bits: Math.log2(one as number) } : undefined;
  },
  Add: (_, [a, b]) => wide(paired(a, b, (x, y) => x + y)),
  Mul: (_, [a, b]) => {
    const made = wide(paired(a, b, (x, y) => x * y));
    return made && isFloat(made.dtype) ? { ...made, scaled: true } : made;
  },
  Sub: (_, [a, b]) => {
    const made = wide(paired(a, b, (x, y) => x - y));
    return made && b !== undefined && elementCount(b.dims) > 1 ? { ...made, centred: true } : made;
  },
  Gather: lookedUp,
  Reshape: (node, [x, shape]) => reshaped(node, x, shape),
  Squeeze: (node, [x, axes]) => reshaped(node, x, axes),
  Unsqueeze: (node, [x, axes]) => reshaped(node, x, axes),
  Slice: sliced,
};

/** Not of bytes, which wrap around. */
function wide(made: Computed | undefined): Computed | undefined {
  return made !== undefined && (isFloat(made.dtype) || made.dtype === 'int32') ? made : undefined;
}

function isWhole({ dtype }: Computed): boolean {
  return WHOLE_TYPES.includes(dtype);
}

/** What several are made of together. */
function joined(all: readonly Computed[]): Pick<Computed, 'source' | 'parts' | 'bits' | 'centred' | 'scaled'> {
  // Bytes of several codes come before those of scales and factors.
  const codes = all.filter((one) => one.bits !== undefined);
  const sources = (codes.length > 0 ? codes : all).flatMap((one) => one.source ?? []);
  const [source] = sources.sort((a, b) => b.tensor.byteLength - a.tensor.byteLength);
  return {
    source,
    parts: [...new Set(all.flatMap((one) => one.parts))],
    bits: all.find((one) => one.bits !== undefined)?.bits,
    centred: all.some((one) => one.centred),
    scaled: all.some((one) => one.scaled),
  };
}

/** Elements of two, one of which may serve whole axes of the other. */
function paired(
  a: Computed | undefined,
  b: Computed | undefined,
  operation: (x: number, y: number) => number,
): Computed | undefined {
  if (a === undefined || b === undefined || a.dtype !== b.dtype || isPacked(a.dtype)) return undefined;
  const dims = broadcastDims(a.dims, b.dims);
  if (dims === undefined || dims.length === 0 || a.dtype === 'int64') return undefined;
  const open = async (): Promise<Lines> => {
    const [left, right] = [await spread(a, dims), await spread(b, dims)];
    const line = elementCount(dims.slice(1));
    return async (from, to) => {
      const [x, y] = [await left(from, to), await right(from, to)];
      const out = new Float32Array((to - from) * line);
      for (let at = 0; at < out.length; at++) out[at] = operation(x(at), y(at));
      return out;
    };
  };
  return { dtype: a.dtype, dims, open, ...joined([a, b]) };
}

/** Gives for lines of `dims` what finds the element of an operand that belongs to each of theirs. */
async function spread(
  one: Computed,
  dims: readonly number[],
): Promise<(from: number, to: number) => Promise<(at: number) => number>> {
  const lines = await one.open();
  const own = [...Array<number>(dims.length - one.dims.length).fill(1), ...one.dims];
  const leads = own[0] === dims[0] && one.dims.length === dims.length;
  const whole = leads ? undefined : await lines(0, one.dims[0] ?? 1);
  const same = own.every((dim, axis) => dim === dims[axis]);
  // Where an element lies among those of a line, for each place of a line.
  const places = same ? undefined : placesOf(dims.slice(1), own.slice(1));
  const [line, length] = [elementCount(dims.slice(1)), elementCount(own.slice(1))];
  return async (from, to) => {
    const values = whole ?? (await lines(from, to));
    if (places === undefined && leads) return (at) => values[at] as number;
    if (values.length === 1) return () => values[0] as number;
    return (at) => {
      const row = leads ? Math.floor(at / line) * length : 0;
      return values[row + (places?.[at % line] ?? at % line)] as number;
    };
  };
}

/** For each place of a shape, the one of another that is spread over it. */
function placesOf(dims: readonly number[], own: readonly number[]): Int32Array {
  const places = new Int32Array(elementCount(dims));
  for (let at = 0; at < places.length; at++) {
    let [rest, step, place] = [at, 1, 0];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const dim = dims[axis] as number;
      if (own[axis] !== 1) place += (rest % dim) * step;
      step *= own[axis] as number;
      rest = Math.floor(rest / dim);
    }
    places[at] = place;
  }
  return places;
}

/** Entries of a small table. */
function lookedUp(node: Node, [table, indices]: readonly Computed[]): Computed | undefined {
  if (table === undefined || indices === undefined || intAttribute(node, 'axis', 0) !== 0) return undefined;
  if (table.dims.length !== 1 || elementCount(table.dims) > SMALL || !isWhole(indices)) return undefined;
  const open = async (): Promise<Lines> => {
    const entries = await (await table.open())(0, table.dims[0] ?? 0);
    const lines = await indices.open();
    return async (from, to) => (await lines(from, to)).map((one) => entries[one] ?? Number.NaN);
  };
  const parts = [...indices.parts, ...table.parts];
  return { ...indices, parts, dtype: table.dtype, dims: indices.dims, open };
}

async function reshaped(
  node: Node,
  x: Computed | undefined,
  given: Computed | undefined,
): Promise<Computed | undefined> {
  if (x === undefined || given?.dtype !== 'int64') return undefined;
  const dims = reshapedDims(node, x.dims, await numbersOf(given));
  if (dims === undefined || dims.length === 0 || elementCount(dims) === 0) return undefined;
  const open = async (): Promise<Lines> => {
    const lines = await x.open();
    const [line, own] = [elementCount(dims.slice(1)), elementCount(x.dims.slice(1))];
    return async (from, to) => {
      const first = Math.floor((from * line) / own);
      const values = await lines(first, Math.ceil((to * line) / own));
      return values.subarray(from * line - first * own, to * line - first * own);
    };
  };
  return { ...x, dims, open };
}

/** The first elements along one axis. */
async function sliced(_: Node, [x, ...bounds]: readonly Computed[]): Promise<Computed | undefined> {
  if (x === undefined || bounds.length < 2) return undefined;
  const lists: number[][] = [];
  for (const one of bounds) {
    if (one.dtype !== 'int64') return undefined;
    lists.push(await numbersOf(one));
  }
  const [starts = [], ends = [], axes = starts.map((__, at) => at), steps = []] = lists;
  const [end = 0] = ends;
  const axis = (axes[0] ?? 0) < 0 ? (axes[0] ?? 0) + x.dims.length : (axes[0] ?? 0);
  const length = x.dims[axis];
  const plain = starts.length === 1 && starts[0] === 0 && steps.every((one) => one === 1) && end > 0;
  if (!plain || length === undefined) return undefined;
  const kept = Math.min(end, length);
  const dims = x.dims.map((dim, at) => (at === axis ? kept : dim));
  if (axis === 0) return { ...x, dims };
  const inner = elementCount(x.dims.slice(axis + 1));
  const open = async (): Promise<Lines> => {
    const lines = await x.open();
    return async (from, to) => {
      const values = await lines(from, to);
      const [run, part] = [length * inner, kept * inner];
      const out = new Float32Array((values.length / run) * part);
      for (let at = 0; at * part < out.length; at++) out.set(values.subarray(at * run, at * run + part), at * part);
      return out;
    };
  };
  return { ...x, dims, open };
}

/** All elements of a short list. */
async function numbersOf(one: Computed): Promise<number[]> {
  const [tensor] = one.parts;
  if (one.dtype === 'int64' && tensor !== undefined) return toIntegers(await tensor.load(), 'int64').map(safeInteger);
  return [...(await (await one.open())(0, one.dims[0] ?? 1))];
}

async function numberOf(one: Computed): Promise<number | undefined> {
  return elementCount(one.dims) === 1 ? (await numbersOf(one))[0] : undefined;
}

/** Elements that are computed together. */
const ELEMENTS = 1 << 17;

/** The numbers that are computed, some lines at a time. */
export function realsOfComputed(one: Computed): Reals {
  return async function* () {
    const lines = await one.open();
    const count = one.dims[0] ?? 0;
    const step = Math.max(1, Math.floor(ELEMENTS / Math.max(1, elementCount(one.dims.slice(1)))));
    for (let from = 0; from < count; from += step) yield lines(from, Math.min(count, from + step));
  };
}

/** Computed integers of a byte each as a tensor. */
export function tensorOfComputed(one: Computed): Tensor | undefined {
  const { dtype, dims } = one;
  if (dtype !== 'int8' && dtype !== 'uint8') return undefined;
  const type = dtype === 'int8' ? Int8Array : Uint8Array;
  return piecewise(one.source?.tensor.name ?? '', dtype, dims, async function* () {
    for await (const chunk of realsOfComputed(one)()) yield new Uint8Array(type.from(chunk).buffer);
  });
}

/** What codes that are computed are called: bytes of several codes lie `[…, bytes of a block, …]`. */
export function schemeOfComputed({ bits = 8, source, centred }: Computed): SchemeFacts {
  const size = ((source?.tensor.dims[1] ?? 0) * 8) / bits;
  const sharing = granularityName({ kind: 'block', axis: 1, size });
  return { name: `${centred ? 'uint' : 'int'}${bits} ${sharing}`, sharing, bits, symmetric: !centred };
}
