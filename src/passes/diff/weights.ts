import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { isOp } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { gemmParts } from '../../layers/gemm.ts';
import { findStored } from '../../schemes/chains.ts';
import type { Decodable } from '../../schemes/decodable.ts';
import { nameOfCodes, nameOfHalf } from '../../schemes/names.ts';
import { type Reals, realsOf, scaledReals, spansOf, swappedReals } from '../../schemes/reals.ts';
import { sampleOf } from '../../schemes/spans.ts';
import { unpackedNamed } from '../../schemes/unpacked.ts';
import { histogramPair } from './histogram.ts';
import type { TensorFacts, WeightChange } from './types.ts';
import { difference, sameBytes } from './values.ts';

/** The differences between the weights of two graphs. */
export interface WeightsDiff {
  readonly same: number;
  readonly changed: readonly WeightChange[];
  /** New names of renamed weights. */
  readonly renamed: ReadonlyMap<string, string>;
}

/** State shared by all graphs while weights are compared. */
export interface Compared {
  /** Integers in a body that represent a weight of an enclosing graph; new ones are added. */
  readonly claimed: WeakSet<Tensor>;
  /** How elements are compared. */
  readonly look: Look;
  /** Called for each weight of the first model once it was compared. */
  readonly seen: (tensor: Tensor) => void;
}

/** How the elements of a weight are compared. */
export interface Look {
  /** Bins of histograms, if requested. */
  readonly bins: number | undefined;
  /** Elements compared per weight; all if undefined. */
  readonly sample: number | undefined;
}

/** SQNR in dB that even coarse integers of a weight reach; a transposed matrix does not. */
const CLOSE = 3;

/**
 * Compares the weights of two graphs: by name, by `renames`, and with integers that represent them in the other graph.
 * @param renames - names after by names before, of weights that the same nodes read
 */
export async function diffWeights(
  path: string,
  before: Graph,
  after: Graph,
  renames: ReadonlyMap<string, string>,
  compared: Compared,
): Promise<WeightsDiff> {
  const { claimed, look, seen } = compared;
  const [old, now] = [tensorsOf(before), tensorsOf(after)];
  const places = withBodies(after);
  const changed: WeightChange[] = [];
  const used = new Set<string>();
  const renamed = new Map<string, string>();
  let same = 0;
  let last: Tensor | undefined;
  for (const [name, tensor] of old) {
    if (last !== undefined) seen(last);
    last = tensor;
    const graph = path;
    const found = now.get(name);
    if (found !== undefined) {
      used.add(name);
      if (await isSame(tensor, found)) same++;
      else changed.push({ graph, name, ...both(tensor, found, 'changed'), ...(await valuesOf(tensor, found, look)) });
      continue;
    }
    const integers = await storedAs(places, name);
    if (integers !== undefined && !old.has(integers.parts[0].name)) {
      for (const one of integers.parts) {
        used.add(one.name);
        claimed.add(one);
      }
      changed.push({ graph, name, ...(await quantizedChange(before, name, tensor, integers, look)) });
      continue;
    }
    const other = renames.get(name) ?? nameOfHalf(name);
    const there = old.has(other) || used.has(other) ? undefined : now.get(other);
    // Integers that replace floats as an input are not a renamed weight.
    const moved = there !== undefined && isFloat(there.dtype) === isFloat(tensor.dtype) ? there : undefined;
    if (moved !== undefined) {
      used.add(moved.name);
      renamed.set(name, moved.name);
      const equal = await isSame(tensor, moved);
      changed.push({
        ...{ graph, name, ...both(tensor, moved, equal ? 'renamed' : 'changed') },
        ...(equal ? {} : await valuesOf(tensor, moved, look)),
      });
    }
  }
  if (last !== undefined) seen(last);
  const stand = await standIns(path, before, after, old, now, used, look.sample);
  changed.push(...stand.changed);
  const gone = new Set([
    ...changed.flatMap((one) => (one.before === undefined ? [] : [one.before.name])),
    ...stand.gone,
  ]);
  for (const [name, tensor] of old) {
    if (gone.has(name) || now.has(name)) continue;
    changed.push({ graph: path, name, kind: 'removed', before: factsOf(tensor), after: undefined });
  }
  for (const [name, tensor] of now) {
    if (used.has(name) || claimed.has(tensor)) continue;
    changed.push({ graph: path, name, kind: 'added', before: undefined, after: factsOf(tensor) });
  }
  return { same, changed, renamed };
}

/** The stored form of a weight in one of these graphs. */
async function storedAs(places: readonly Graph[], of: string): Promise<Decodable | undefined> {
  for (const place of places) {
    const found = (await unpackedNamed(place, nameOfCodes(of))) ?? findStored(place, of);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Weights of the second model that were stored as integers in the first: quantized, in reverse order. */
async function standIns(
  path: string,
  before: Graph,
  after: Graph,
  old: ReadonlyMap<string, Tensor>,
  now: ReadonlyMap<string, Tensor>,
  used: Set<string>,
  sample: number | undefined,
): Promise<{ changed: WeightChange[]; gone: string[] }> {
  const changed: WeightChange[] = [];
  const gone: string[] = [];
  for (const [name, tensor] of now) {
    if (used.has(name)) continue;
    const integers = await storedAs([before], name);
    if (integers === undefined || !old.has(integers.parts[0].name) || now.has(integers.parts[0].name)) continue;
    used.add(name);
    gone.push(...integers.parts.map((one) => one.name));
    const { form, scheme, values } = await quantizedChange(after, name, tensor, integers, { sample, bins: undefined });
    const sides = { before: factsOf(integers.parts[0]), after: factsOf(tensor) };
    // The float weight is always the reference; only the zero counts depend on the order.
    const reversed = values && { ...values, zerosBefore: values.zerosAfter, zerosAfter: values.zerosBefore };
    changed.push({
      graph: path,
      name,
      kind: 'quantized',
      ...sides,
      form,
      scheme,
      ...(reversed && { values: reversed }),
    });
  }
  return { changed, gone };
}

/** Every tensor a graph holds, by the name it is read under. */
export function tensorsOf(graph: Graph): Map<string, Tensor> {
  const all = new Map<string, Tensor>();
  for (const [name, tensor] of graph.initializers) all.set(name, tensor);
  for (const node of graph.nodes) {
    const [name = ''] = node.outputs;
    const tensor = isOp(node, 'Constant') ? graph.constant(name)?.tensor : undefined;
    if (tensor !== undefined) all.set(name, { ...tensor, name });
  }
  return all;
}

/** A graph and the bodies in it: a weight that a body captures may be stored as integers inside it. */
function withBodies(graph: Graph): Graph[] {
  return [graph, ...[...graph.bodies].flatMap(withBodies)];
}

function factsOf({ name, dtype, dims, byteLength }: Tensor): TensorFacts {
  return { name, dtype, dims, byteLength };
}

function both<Kind extends WeightChange['kind']>(
  before: Tensor,
  after: Tensor,
  kind: Kind,
): { kind: Kind; before: TensorFacts; after: TensorFacts } {
  return { kind, before: factsOf(before), after: factsOf(after) };
}

async function isSame(before: Tensor, after: Tensor): Promise<boolean> {
  return before.dtype === after.dtype && sameDims(before.dims, after.dims) && (await sameBytes(before, after));
}

function sameDims(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((dim, axis) => dim === other[axis]);
}

/** Whether the last two axes of `other` are those of `one` swapped. */
function isSwapped(one: readonly number[], other: readonly number[]): boolean {
  const { length } = one;
  if (length < 2 || other.length !== length) return false;
  const reversed = [...one.slice(0, -2), one[length - 1] as number, one[length - 2] as number];
  return sameDims(reversed, other);
}

/** How elements differ, and how they are spread. */
type Compare = Pick<WeightChange, 'values' | 'histogram'>;

async function compared(before: Reals, after: Reals, elements: number, look: Look): Promise<Compare> {
  const { bins, sample } = look;
  const spans = sample === undefined ? undefined : sampleOf(elements, sample);
  const [one, other] = spans === undefined ? [before, after] : [await some(before), await some(after)];
  /** Keeps sampled elements: a histogram reads them twice more. */
  async function some(reals: Reals): Promise<Reals> {
    const values = await spansOf(reals, spans ?? []);
    return async function* () {
      yield values;
    };
  }
  const values = await difference(one, other);
  const histogram = bins === undefined ? undefined : await histogramPair(one, other, bins);
  return histogram === undefined ? { values } : { values, histogram };
}

/** How float elements differ: in their order, or, where the dims are swapped, with the axes swapped. */
async function valuesOf(before: Tensor, after: Tensor, look: Look): Promise<Compare> {
  const [old, now] = [realsOf(before), realsOf(after)];
  if (old === undefined || now === undefined || elementCount(before.dims) !== elementCount(after.dims)) return {};
  const reversed = isSwapped(before.dims, after.dims) && !sameDims(before.dims, after.dims);
  return compared(old, reversed ? (swappedReals(after) ?? now) : now, elementCount(before.dims), look);
}

async function quantizedChange(
  graph: Graph,
  name: string,
  tensor: Tensor,
  integers: Decodable,
  look: Look,
): Promise<
  Pick<WeightChange, 'kind' | 'before' | 'after' | 'values' | 'histogram'> & { form: string; scheme: string }
> {
  const { parts, dims, scheme } = integers;
  const sides = { ...both(tensor, parts[0], 'quantized'), form: scheme.sharing, scheme: scheme.name };
  const real = realsOf(tensor);
  const elements = elementCount(dims);
  if (real === undefined || elementCount(tensor.dims) !== elements) return sides;
  // 16-bit floats absorb no alpha.
  const factor = scheme.bits === 16 ? 1 : factorOf(graph, name);
  const old = factor === 1 ? real : scaledReals(real, factor);
  const found: Compare[] = [];
  const plain = sameDims(tensor.dims, dims);
  const reversed = isSwapped(tensor.dims, dims);
  if (plain || !reversed) found.push(await compared(old, integers.reals, elements, look));
  // A square matrix may have been transposed: then only one of the two layouts is close.
  if (reversed && (found[0]?.values?.sqnr ?? 0) < CLOSE)
    found.push(await compared(old, integers.swapped, elements, look));
  const sqnr = ({ values }: Compare): number => values?.sqnr ?? Number.NEGATIVE_INFINITY;
  const [best] = found.sort((a, b) => sqnr(b) - sqnr(a));
  return { ...sides, ...best };
}

/** The alpha of the weight's Gemm, which quantizers multiply into it. */
function factorOf(graph: Graph, name: string): number {
  const node = graph.uses(name).find((use) => use.node !== undefined && isOp(use.node, 'Gemm') && use.index < 2)?.node;
  return node === undefined ? 1 : gemmParts(node).alpha;
}
