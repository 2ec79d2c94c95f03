import { isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';
import { biasSlot } from '../../layers/bias.ts';
import { makerOf, weightInputs } from '../../layers/select.ts';
import { MAX_VIA, PASSED, traceBack } from '../../layers/trace.ts';
import { Constants } from './compute.ts';
import { computedFor, isPlausible } from './needed.ts';
import { operatorOf } from './operators/index.ts';
import { Dims } from './predicted.ts';
import { type Placed, replaceByResults, worthwhile } from './region.ts';

/**
 * Turns weights that nodes compute from constants into initializers, unless that makes the file larger:
 * ```
 * before  Slice(in_proj [192,64], 0, 64) ── Transpose ── MatMul    after  in_proj_0 [64,64] ── Transpose ── MatMul
 *         Slice(in_proj [192,64], 64, 192) ── …                           in_proj_1 [128,64] ── …
 *
 * before  v ── Mul(g / ReduceL2(v)) ── Conv                        after  w ── Conv
 * ```
 * Nodes that passes look through (Transpose, Reshape, Cast) stay. So do weights stored in fewer bits: 16-bit floats
 * before a Cast, integers before a Cast or DequantizeLinear. A layer whose inputs are all constants has no weight.
 * Nothing large is computed or read before it is needed. If no weight is found, nothing changes.
 *
 * Products, exponentials, roots other than square roots, normalizations and sums over middle axes may differ from ONNX
 * Runtime's in the last bits. All other results are identical.
 *
 * @param wanted - nodes whose weights may be computed
 * @returns a sentence, if there are such weights
 */
export async function settleComputed(model: Model, wanted: readonly Placed[]): Promise<string[]> {
  const dims = new Dims(model);
  const constants = new Constants(model, (graph, value) => dims.tensor(graph, value));
  const nodes = new Map<Node, Placed>();
  for (const { graph, node } of wanted) {
    const first: (readonly Placed[])[] = [];
    for (const index of weightInputs(node)) {
      const own = await hidden(constants, graph, node.inputs[index] ?? '');
      if (own !== undefined) first.push(own);
    }
    // In a product of two constants, neither is the weight.
    if (first.length === 0 || isOfConstants(constants, graph, node)) continue;
    const bias = biasSlot(graph, node)?.name ?? '';
    const hiddenNodes = await hidden(constants, graph, bias);
    for (const one of [...first, hiddenNodes ?? []].flat()) nodes.set(one.node, one);
  }
  const computed = worthwhile(model, constants, [...nodes.values()]);
  if (computed.length === 0) return [];
  replaceByResults(model, constants, computed);
  model.freeInitializers();
  const count = computed.length;
  return [`${count} ${count === 1 ? 'node' : 'nodes'} between constants and weights folded`];
}

/** Whether a node may have a weight that {@link settleComputed} finds: only its operators are looked at. */
export function mayHaveComputed({ graph, node }: Placed): boolean {
  return weightInputs(node).some((index) => {
    const found = hiddenWeight(graph, node.inputs[index] ?? '');
    return found !== undefined && isPlausible(found.graph, found.node);
  });
}

/** The value that would have to be a constant for `value` to be a weight, and the node that makes it. */
function hiddenWeight(graph: Graph, value: string): (Placed & { readonly name: string }) | undefined {
  if (traceBack(graph, value)?.held !== undefined) return undefined;
  const chain: (Placed & { readonly name: string })[] = [];
  let [scope, name] = [graph, value];
  for (let step = 0; step <= MAX_VIA; step++) {
    const made = makerOf(scope, name, []);
    // A constant that is transposed over more than two axes, or cast to integers on the way: the whole chain is
    // computed.
    if (made.held !== undefined) return chain[0];
    if (made.producer === undefined || operatorOf(made.producer) === undefined) return undefined;
    chain.push({ graph: made.scope, node: made.producer, name });
    if (!PASSED.some((one) => isOp(made.producer as Node, one))) break;
    [scope, name] = [made.scope, made.producer.inputs[0] ?? ''];
  }
  // Nodes after it that only change dims are computed with it; a Transpose or Cast stays.
  let at = chain.length - 1;
  while (at > 0 && ['Identity', ...RESHAPES].some((one) => isOp((chain[at - 1] as Placed).node, one))) at--;
  return chain[at];
}

/** The nodes that compute a hidden weight, if all of them can be computed here; otherwise undefined. */
async function hidden(constants: Constants, graph: Graph, value: string): Promise<Placed[] | undefined> {
  const found = value === '' ? undefined : hiddenWeight(graph, value);
  if (found === undefined) return undefined;
  const nodes = await computedFor(constants, found.graph, found.node);
  const tensor = constants.of(found.graph, found.name);
  return nodes !== undefined && tensor !== undefined && isFloat(tensor.dtype) ? nodes : undefined;
}

/** Whether everything the node reads is a constant. */
function isOfConstants(constants: Constants, graph: Graph, node: Node): boolean {
  return node.inputs.every((value) => {
    if (value === '') return true;
    return constants.of(graph, value) !== undefined || traceBack(graph, value)?.held !== undefined;
  });
}
