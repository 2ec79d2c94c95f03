import { isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { biasSlot } from '../../layers/bias.ts';
import { makerOf, RECURRENT_INPUTS, WEIGHT_INPUTS } from '../../layers/select.ts';
import { PASSED, traceBack } from '../../layers/trace.ts';
import { Constants } from './compute.ts';
import { Dims } from './foreknown.ts';
import { operatorOf } from './operators/index.ts';
import { type Placed, replaceByResults, worthwhile } from './region.ts';

/** Nodes behind one weight at most. */
const MAX_NODES = 256;

/**
 * Makes initializers of weights that nodes compute from constants, where that does not make the file larger:
 * ```
 * before  Slice(in_proj [192,64], 0, 64) ── Transpose ── MatMul    after  in_proj_0 [64,64] ── Transpose ── MatMul
 *         Slice(in_proj [192,64], 64, 192) ── …                           in_proj_1 [128,64] ── …
 *
 * before  v ── Mul(g / ReduceL2(v)) ── Conv                        after  w ── Conv
 * ```
 * What passes hands on (Transpose, Reshape, Cast) stays. Weights that are stored in fewer bits are left: half floats
 * behind a Cast, integers behind a Cast or DequantizeLinear. Products of constants too, which ONNX Runtime computes
 * once. Nothing large is computed, or read, before it is asked for. Where no weight is found, nothing changes.
 *
 * Exponentials, roots other than the square one and sums over middle axes may differ from ONNX Runtime's in the last
 * bit; all else is the same.
 *
 * @param users - operators whose weights are looked at
 * @returns a sentence where there are such weights
 */
export async function settleComputed(model: Model, users: readonly string[]): Promise<string[]> {
  const wanted = [...model.nodes()].filter(({ graph, node }) => users.includes(node.opType) && mayHide(graph, node));
  if (wanted.length === 0) return [];
  const dims = new Dims(model);
  const constants = new Constants(model, (graph, value) => dims.tensor(graph, value));
  const nodes = new Map<Node, Placed>();
  for (const { graph, node } of wanted) {
    const first: (readonly Placed[])[] = [];
    for (const index of weightInputs(node)) {
      const own = await hidden(constants, graph, node.inputs[index] ?? '');
      if (own !== undefined) first.push(own);
    }
    // Of a product of two constants, neither is the weight.
    if (first.length === 0 || isOfConstants(constants, graph, node)) continue;
    const bias = biasSlot(graph, node)?.name ?? '';
    const behind = await hidden(constants, graph, bias);
    for (const one of [...first, behind ?? []].flat()) nodes.set(one.node, one);
  }
  const computed = worthwhile(model, constants, [...nodes.values()]);
  if (computed.length === 0) return [];
  replaceByResults(model, constants, computed);
  model.freeInitializers();
  const count = computed.length;
  return [`${count} ${count === 1 ? 'node' : 'nodes'} between constants and weights computed`];
}

/** The inputs of a node that may be its weights. */
function weightInputs(node: Node): readonly number[] {
  if (!isOp(node, node.opType)) return [];
  return lookup(WEIGHT_INPUTS, node.opType) ?? lookup(RECURRENT_INPUTS, node.opType) ?? [];
}

/** Whether a weight of the node may come out of a node that can be computed. Cheap: almost all nodes are none. */
function mayHide(graph: Graph, node: Node): boolean {
  if (graph.root.kind === 'function') return false;
  const inputs = weightInputs(node).map((index) => node.inputs[index] ?? '');
  const isMatrix = lookup(RECURRENT_INPUTS, node.opType) === undefined;
  if (isMatrix && inputs.some((value) => traceBack(graph, value)?.held !== undefined)) return false;
  return inputs.some((value) => value !== '' && hiddenBehind(graph, value) !== undefined);
}

/** The value that would have to be a constant for `value` to be a weight, and what makes it. */
function hiddenBehind(graph: Graph, value: string): (Placed & { readonly name: string }) | undefined {
  if (traceBack(graph, value)?.held !== undefined) return undefined;
  const { scope, name, producer, held } = makerOf(graph, value, PASSED);
  // A constant that is turned in more than two axes: all of it is computed.
  if (held !== undefined) {
    const { scope: own, producer: last } = makerOf(graph, value, []);
    return last === undefined ? undefined : { graph: own, node: last, name: value };
  }
  return producer !== undefined && operatorOf(producer) !== undefined
    ? { graph: scope, node: producer, name }
    : undefined;
}

/** The nodes that make a hidden weight, all of which can be computed; undefined where there is none. */
async function hidden(constants: Constants, graph: Graph, value: string): Promise<Placed[] | undefined> {
  const found = value === '' ? undefined : hiddenBehind(graph, value);
  if (found === undefined) return undefined;
  const nodes = await computedFor(constants, found.graph, found.node);
  const tensor = constants.of(found.graph, found.name);
  return nodes !== undefined && tensor !== undefined && isFloat(tensor.dtype) ? nodes : undefined;
}

/** Computes a node and what it needs, inputs first. */
async function computedFor(constants: Constants, graph: Graph, node: Node): Promise<Placed[] | undefined> {
  const done: Placed[] = [];
  const seen = new Set<Node>();
  const open: { placed: Placed; ready: boolean }[] = [{ placed: { graph, node }, ready: false }];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    const { placed, ready } = one;
    if (ready) {
      if (constants.outputs(placed.graph, placed.node).length === 0) {
        if (isOutput(placed) || !(await constants.compute(placed.graph, placed.node))) continue;
      }
      done.push(placed);
      continue;
    }
    if (seen.has(placed.node)) continue;
    seen.add(placed.node);
    if (seen.size > MAX_NODES || operatorOf(placed.node) === undefined) continue;
    open.push({ placed, ready: true });
    for (const value of placed.node.inputs) {
      if (value === '' || (await constants.value(placed.graph, value)) !== undefined) continue;
      const { scope, producer } = makerOf(placed.graph, value, []);
      if (producer !== undefined && !isOp(producer, 'Constant'))
        open.push({ placed: { graph: scope, node: producer }, ready: false });
    }
  }
  return done.some((one) => one.node === node) ? done : undefined;
}

/** Whether the graph gives a value of the node out. */
function isOutput({ graph, node }: Placed): boolean {
  return node.outputs.some((one) => graph.uses(one).some((use) => use.node === undefined));
}

/** Whether everything the node reads is a constant. */
function isOfConstants(constants: Constants, graph: Graph, node: Node): boolean {
  return node.inputs.every((value) => {
    if (value === '') return true;
    return constants.of(graph, value) !== undefined || traceBack(graph, value)?.held !== undefined;
  });
}
