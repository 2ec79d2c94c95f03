import { elementCount, type FloatDType, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import { isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { constantName, heldBy, isVariable } from '../../layers/constant.ts';
import { isExcluded, RECURRENT_INPUTS, skipUse, type WeightUse, weightInputs } from '../../layers/select.ts';
import { traceBack } from '../../layers/trace.ts';
import { MOST_ELEMENTS } from '../../schemes/measured.ts';
import { usageOf } from '../inspect/roles.ts';
import { einsumWeight } from './einsum.ts';
import type { Ledger } from './ledger.ts';
import { isProductNode, MOVERS, meetsLog, meetsProduct, meetsSoftmax } from './meets.ts';
import type { ResolvedOptions } from './options.ts';

/** Smaller constants are bounds, tokens and biases. */
const MIN_ELEMENTS = 1024;
/** Larger magnitudes are those of masks. */
const LARGEST = 1e4;
/** A table of no more different values than this is a mask. */
const FEWEST_VALUES = 4;
/** The most noise over signal: 45 dB, because all layers get the noise of an activation. */
const MOST_NOISE = 10 ** -4.5;
/** The most mean square error of what Softmax gets, whose results change by the same part. */
const MOST_ERROR = 1e-4;
/** Neighbours that share a scale, at least. */
const LEAST_ROW = 16;
/** The most readers of one table, with those behind operators that move it. */
const MAX_READERS = 64;

/** Operators that move values, also by indices that are known at run time. */
const MOVES = [...MOVERS, 'Gather', 'GatherElements', 'GatherND', 'Tile', 'Pad', 'Trilu'];
/** Operators that add a table to an activation. */
const ADDS = ['Add', 'Sum', 'Sub'];

/** A table that is added to activations, or a further factor of an Einsum: it is stored as integers where it is. */
export interface TermUse extends WeightUse {
  /** The most noise over signal that it may get. */
  readonly most: number;
}

export function isTerm(use: WeightUse): use is TermUse {
  return 'most' in use;
}

/** The axes of a table that index rows, each with a scale at least. */
export function termRows(dims: readonly number[]): { readonly axis: number; readonly from: 0; readonly rows: number } {
  let rows = dims.length - 1;
  while (rows > 1 && elementCount(dims.slice(rows)) < LEAST_ROW) rows--;
  return { axis: rows - 1, from: 0, rows };
}

/**
 * Tables that are no weight of an operator: learned position embeddings, biases of attention, further factors of an
 * Einsum. Their readers read the stored table in the same place, and nothing else changes:
 * ```
 * before  T ── Slice(0, length) ── Add(x) ── y
 *
 * after   T_quantized ── Cast ── Mul(scale) ── Slice(0, length) ── Add(x) ── y
 * ```
 * Masks, tables that are multiplied, and those that no product reads stay float.
 */
export async function termsOf(model: Model, options: ResolvedOptions, ledger?: Ledger): Promise<TermUse[]> {
  if (options.perTensor) return [];
  const weights = weightTensors(model);
  const terms: TermUse[] = [];
  for (const graph of model.graphs()) {
    if (graph.root.kind === 'function') continue;
    for (const held of heldBy(graph)) {
      const { tensor } = held;
      if (!isTable(tensor, options) || weights.has(tensor) || options.aside?.has(tensor)) continue;
      if (isVariable(model, held) || usageOf(held).role !== 'weight') continue;
      const ends = endsOf(graph, constantName(held));
      const [end] = ends ?? [];
      if (ends === undefined || end === undefined || !ends.every(keepsNoise)) continue;
      const kind = ends.some(({ node }) => isOp(node, 'Einsum')) ? 'MatMul' : 'Gather';
      if (options.only?.includes(kind) === false) continue;
      const most = options.unread ? MOST_NOISE : await mostNoise(tensor, ends.some(meetsSoftmaxFrom));
      if (most === undefined) continue;
      const plain = { via: [], transposed: false, reshaped: false, dtype: tensor.dtype };
      const { node, index } = held.graph.uses(constantName(held))[0] as { node: Node; index: number };
      const term = { ...plain, held, graph, node, index, layer: end, most };
      if (options.opTypes.includes(kind) && !isExcluded(term, options)) terms.push(term);
      else ledger?.skip(held, skipUse(term, 'excluded_by_user', 'excluded by `opTypes`, `include` or `exclude`'));
    }
  }
  return terms;
}

/** Whether a tensor is large enough, and no vector. */
function isTable({ dtype, dims }: Tensor, { minElements }: ResolvedOptions): boolean {
  const elements = elementCount(dims);
  const fits = elements >= Math.max(MIN_ELEMENTS, minElements) && elements <= MOST_ELEMENTS;
  return isFloat(dtype) && fits && elements > Math.max(...dims);
}

/** The tensors that operators read as their weights, which other rules handle. */
function weightTensors(model: Model): ReadonlySet<Tensor> {
  const found = new Set<Tensor>();
  for (const { graph, node } of model.nodes()) {
    const indices = weightInputs(node);
    const all = lookup(RECURRENT_INPUTS, node.opType) !== undefined;
    for (const index of indices) {
      const held = traceBack(graph, node.inputs[index] ?? '')?.held;
      if (held === undefined) continue;
      found.add(held.tensor);
      if (!all) break;
    }
    const einsum = einsumWeight(graph, node);
    if (einsum !== undefined) found.add(einsum.held.tensor);
  }
  return found;
}

/** A node that computes with a table. */
interface End {
  readonly graph: Graph;
  readonly node: Node;
}

/** The nodes that compute with a value; undefined if it is also used in another way. */
function endsOf(graph: Graph, name: string): End[] | undefined {
  const ends: End[] = [];
  const open = [{ graph, name }];
  let left = MAX_READERS;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const { graph: at, node, index } of next.graph.uses(next.name)) {
      if (node === undefined || left-- === 0) return undefined;
      if (isEnd(node, index)) {
        ends.push({ graph: at, node });
      } else if (MOVES.some((op) => isOp(node, op)) && (index === 0 || isOp(node, 'Concat'))) {
        for (const output of node.outputs) if (output !== '') open.push({ graph: at, name: output });
      } else {
        return undefined;
      }
    }
  }
  return ends;
}

/** Whether a node adds or multiplies its input, which is no bias: biases stay float. */
function isEnd(node: Node, index: number): boolean {
  if (lookup(RECURRENT_INPUTS, node.opType) !== undefined) return false;
  if (isOp(node, 'Einsum')) return true;
  if (isProductNode(node)) return index < 2;
  if (isOp(node, 'Where')) return index > 0;
  return ADDS.some((op) => isOp(node, op)) || (isOp(node, 'LayerNormalization') && index === 0);
}

/** Whether the noise of what a node computes stays noise of that size: a product reads it, and no Log follows. */
function keepsNoise({ graph, node }: End): boolean {
  return (isProductNode(node) || meetsProduct(graph, node)) && !meetsLog(graph, node);
}

function meetsSoftmaxFrom({ graph, node }: End): boolean {
  return !isProductNode(node) && meetsSoftmax(graph, node);
}

/** The most noise over signal that a table may get; undefined for masks and numbers that are not finite. */
async function mostNoise(tensor: Tensor, softmax: boolean): Promise<number | undefined> {
  const data = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
  const values = new Set<number>();
  let signal = 0;
  for (const value of data) {
    if (!(Math.abs(value) <= LARGEST)) return undefined;
    if (values.size <= FEWEST_VALUES) values.add(value);
    signal += value * value;
  }
  if (values.size <= FEWEST_VALUES) return undefined;
  return softmax ? Math.min(MOST_NOISE, (MOST_ERROR * data.length) / signal) : MOST_NOISE;
}

/** Makes all readers of a table read `value`; they are looked up again, because quantized products replace nodes. */
export function readTermInstead({ held }: TermUse, value: string): void {
  const name = constantName(held);
  for (const { graph, node } of [...held.graph.uses(name)]) {
    if (node === undefined) continue;
    const current = graph.producer(node.outputs.find((one) => one !== '') ?? '') ?? node;
    graph.replaceNode(current, { ...current, inputs: current.inputs.map((one) => (one === name ? value : one)) });
  }
}
