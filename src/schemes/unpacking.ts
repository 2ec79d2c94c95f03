import { DTYPES, type DType, elementCount, isFloat } from '../ir/dtype.ts';
import { safeInteger } from '../ir/integers.ts';
import { intAttribute, isOp, type Node, stringAttribute } from '../ir/node.ts';
import { reshapedDims } from '../ir/reshapedDims.ts';
import { toIntegers } from '../kernels/views.ts';
import { type Computed, type Lines, paired } from './lines.ts';

/** The most entries of a lookup table, which is held in memory. */
const MOST_ENTRIES = 1 << 16;
/** Integer types that are computed in float32; codes, factors and indices are small enough to be exact. */
const WHOLE_TYPES: readonly DType[] = ['uint8', 'int8', 'int32'];

/** Applies an operator to computed inputs; undefined if it does not unpack codes here. */
type Operator = (node: Node, inputs: readonly Computed[]) => Promise<Computed | undefined> | Computed | undefined;

/** The operators that unpack codes. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  Identity: (_, [x]) => x,
  Cast: (node, [x]) => {
    const dtype = DTYPES[intAttribute(node, 'to', 0)] ?? 'undefined';
    const known = isFloat(dtype) || WHOLE_TYPES.includes(dtype);
    // A Cast from float to integer truncates, which is not modelled.
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

/** The value that such a node computes; undefined for other nodes. */
export async function unpackedBy(node: Node, inputs: readonly Computed[]): Promise<Computed | undefined> {
  return isUnpacking(node) ? OPERATORS[node.opType]?.(node, inputs) : undefined;
}

/** Whether a node may be one of those that unpack codes. */
export function isUnpacking(node: Node): boolean {
  return Object.hasOwn(OPERATORS, node.opType) && isOp(node, node.opType);
}

/** Excludes bytes, which would wrap around. */
function wide(made: Computed | undefined): Computed | undefined {
  return made !== undefined && (isFloat(made.dtype) || made.dtype === 'int32') ? made : undefined;
}

function isWhole({ dtype }: Computed): boolean {
  return WHOLE_TYPES.includes(dtype);
}

/** Looks up entries of a small table. */
function lookedUp(node: Node, [table, indices]: readonly Computed[]): Computed | undefined {
  if (table === undefined || indices === undefined || intAttribute(node, 'axis', 0) !== 0) return undefined;
  if (table.dims.length !== 1 || elementCount(table.dims) > MOST_ENTRIES || !isWhole(indices)) return undefined;
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
    // A line of codes holds many rows, and a sample reads several of them in turn, so the last lines are kept.
    let held = { first: 0, end: 0, values: new Float32Array(0) as Float32Array };
    return async (from, to) => {
      const [first, end] = [Math.floor((from * line) / own), Math.ceil((to * line) / own)];
      if (first < held.first || end > held.end) held = { first, end, values: await lines(first, end) };
      const { values } = held;
      return values.subarray(from * line - held.first * own, to * line - held.first * own);
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

/** All elements of a short list as numbers. */
async function numbersOf(one: Computed): Promise<number[]> {
  const [tensor] = one.parts;
  if (one.dtype === 'int64' && tensor !== undefined) return toIntegers(await tensor.load(), 'int64').map(safeInteger);
  return [...(await (await one.open())(0, one.dims[0] ?? 1))];
}

async function numberOf(one: Computed): Promise<number | undefined> {
  return elementCount(one.dims) === 1 ? (await numbersOf(one))[0] : undefined;
}
