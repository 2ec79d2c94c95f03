import { partOf } from '../bytes/stored.ts';
import { byteLengthOf, elementCount, isFloat } from '../ir/dtype.ts';
import type { Constant, Graph } from '../ir/graph.ts';
import { intsAttribute, isOp, type Node } from '../ir/node.ts';
import { piecewise, type Tensor } from '../ir/tensor.ts';
import { toFloat32, toIntegers } from '../kernels/views.ts';
import type { MovedWeight } from './chains.ts';
import { type Decodable, decodableIn, type SchemeFacts, type Steps } from './decodable.ts';
import type { Computed, Lines } from './lines.ts';
import { isPacked, isReadable, unpacked } from './packed.ts';
import { type Reals, swappedOf, withSpans } from './reals.ts';
import { granularityName } from './scheme.ts';
import { isUnpacking, unpackedBy } from './unpacking.ts';

/** Constants of at most this many elements are kept in memory whole. */
const SMALL = 1 << 16;
/** The longest chain of nodes behind a value. */
const MAX_NODES = 24;

/** How operators that unpack codes compute a value from constants; undefined for any other value. */
export async function computedAt(graph: Graph, value: string, left: number = MAX_NODES): Promise<Computed | undefined> {
  let scope = graph;
  while (scope.parent !== undefined && !scope.defines(value)) scope = scope.parent;
  const held = scope.constant(value);
  if (held !== undefined) return leaf(held);
  const node = scope.producer(value);
  if (node === undefined || left <= 0 || node.outputs[0] !== value) return undefined;
  if (!isUnpacking(node)) return undefined;
  const inputs: Computed[] = [];
  for (const one of node.inputs) {
    const found = await computedAt(scope, one, left - 1);
    if (found === undefined) return undefined;
    inputs.push(found);
  }
  return unpackedBy(node, inputs);
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

/** Elements computed at a time. */
const ELEMENTS = 1 << 17;

/** The computed numbers, a few lines at a time. */
export function realsOfComputed(one: Computed): Reals {
  const line = Math.max(1, elementCount(one.dims.slice(1)));
  async function* all(): AsyncGenerator<Float32Array, void, void> {
    const lines = await one.open();
    const count = one.dims[0] ?? 0;
    const step = Math.max(1, Math.floor(ELEMENTS / line));
    for (let from = 0; from < count; from += step) yield lines(from, Math.min(count, from + step));
  }
  return withSpans(all, async function* (spans) {
    const lines = await one.open();
    for (const { start, end } of spans) {
      const from = Math.floor(start / line);
      const some = await lines(from, Math.ceil(end / line));
      yield some.subarray(start - from * line, end - from * line);
    }
  });
}

/** Computed 8-bit integers as a tensor. */
export function tensorOfComputed(one: Computed): Tensor | undefined {
  const { dtype, dims } = one;
  if (dtype !== 'int8' && dtype !== 'uint8') return undefined;
  const type = dtype === 'int8' ? Int8Array : Uint8Array;
  return piecewise(one.source?.tensor.name ?? '', dtype, dims, async function* () {
    for await (const chunk of realsOfComputed(one)()) yield new Uint8Array(type.from(chunk).buffer);
  });
}

/**
 * The scheme of computed codes: packed bytes have the layout `[blocks, bytes of a block, 1, outputs]`, those of a table
 * `[rows, blocks, bytes of a block, 1]`.
 */
export function schemeOfComputed({ bits = 8, source, centred }: Computed): SchemeFacts {
  const [, own = 0, rows = 1, last] = source?.tensor.dims ?? [];
  const size = ((rows > 1 && last === 1 ? rows : own) * 8) / bits;
  const sharing = granularityName({ kind: 'block', axis: 1, size });
  return { name: `${centred ? 'uint' : 'int'}${bits} ${sharing}`, sharing, bits, symmetric: !centred };
}

/** Integers that nodes unpack from codes when the model is loaded, as a weight of an integer product or a table. */
export async function integerWeight(graph: Graph, value: string, steps: Steps): Promise<MovedWeight | undefined> {
  const turn = graph.producer(value);
  if (turn !== undefined && isOp(turn, 'Transpose')) return transposedWeight(graph, turn, steps);
  const computed = await computedAt(graph, value);
  const data = computed && tensorOfComputed(computed);
  const held = computed?.source;
  const weight = data && decodableIn(graph, data, steps);
  if (computed === undefined || held === undefined || weight === undefined) return undefined;
  const [, ...others] = weight.parts;
  const perm = computed.dims.map((_, axis) => axis);
  return { held, via: [], perm, weight: { ...weight, ...partsOf(computed), parts: [held.tensor, ...others] } };
}

/** A table that a product reads transposed. */
async function transposedWeight(graph: Graph, turn: Node, steps: Steps): Promise<MovedWeight | undefined> {
  const perm = intsAttribute(turn, 'perm') ?? [];
  if (perm.join() !== '1,0' || steps.sharing?.axis !== -1) return undefined;
  const found = await integerWeight(graph, turn.inputs[0] ?? '', { ...steps, sharing: { ...steps.sharing, axis: 0 } });
  return found && { ...found, perm };
}

/** Computed floats as a weight. */
export function realWeight(computed: Computed): Decodable {
  const { dims, dtype } = computed;
  const reals = realsOfComputed(computed);
  const type = isFloat(dtype) ? dtype : 'float32';
  return { ...partsOf(computed), dims, dtype: type, reals, swapped: swappedOf(dims, reals) };
}

function partsOf(computed: Computed): Pick<Decodable, 'scheme' | 'parts'> {
  const { source, parts } = computed;
  const [first = parts[0]] = source === undefined ? [] : [source.tensor];
  // Shapes and lookup tables are shared by all weights.
  const others = parts.filter((one) => one !== first && one.dims.length > 1);
  return { scheme: schemeOfComputed(computed), parts: [first as Decodable['parts'][0], ...others] };
}
