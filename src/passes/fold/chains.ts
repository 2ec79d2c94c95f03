import type { Graph } from '../../ir/graph.ts';
import { type Attribute, createNode, isOp, type Node } from '../../ir/node.ts';
import { geluFactor } from '../../targets/rewrites.ts';
import { type Affine, affineOf, fitsChannels } from './affine.ts';
import { type Folding, isAlive } from './context.ts';
import { foldPastAdd } from './past.ts';
import { addsUpEvenly, endOf, type Product, productEndingIn, productOf } from './product.ts';
import type { FoldedWeights } from './weights.ts';

/**
 * Folds constants that scale and shift an activation into the product before or after it, if nothing else reads the
 * value between:
 * ```
 * before  x ── Conv(W, b) ── BatchNormalization ── Mul(s) ── Add(t) ── y
 * after   x ── Conv(W', b') ── y                        W' = W·γ/√(σ²+ε)·s, …
 *
 * before  x ── Mul(s) ── Add(t) ── Conv(W, b) ── y      s and t one number each
 * after   x ── Conv(s·W, b + t·ΣW) ── y
 * ```
 * A product takes the name of the last value it absorbed. A constant that cannot be folded backward is tried forward.
 * Every node is queued once, and a fold queues the node before it again, so the time is linear in the chain's length.
 */
export async function foldChains(folding: Folding, weights: FoldedWeights): Promise<void> {
  for (const graph of folding.graphs) {
    const stack = [...graph.nodes].reverse();
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (!isAlive(graph, node)) continue;
      const affine = affineOf(folding, graph, node);
      if (affine === undefined) continue;
      const folded =
        (await foldBack(folding, weights, graph, affine)) || (await foldForward(folding, weights, graph, affine));
      const before = graph.producer(affine.input);
      if (folded && before !== undefined) stack.push(before);
    }
  }
}

/**
 * Into the product before: `(α·x·W + β·b)·s + t = α·x·(W·s) + (β·b·s + t)`.
 * A MatMul has no bias: the Add after it is one; without that it takes factors only, except that a BatchNormalization
 * becomes the Add.
 */
async function foldBack(folding: Folding, weights: FoldedWeights, graph: Graph, affine: Affine): Promise<boolean> {
  if (folding.onlyUse(graph, affine.input)?.node !== affine.node) return false;
  const found = productEndingIn(folding, graph, affine.input);
  if (found === undefined || !fitsChannels(affine, found.channels, found.axis, found.rank)) return false;
  const normalizes = isOp(affine.node, 'BatchNormalization');
  const plain = isOp(found.node, 'MatMul') && found.bias === undefined;
  if (affine.shifts && found.bias === undefined && !(plain && normalizes)) return false;
  // Its bias is not a constant: what is added to the product would have to be scaled too.
  if (affine.scales && found.bias === undefined && !plain) return false;
  const change = await affine.load();
  if (change === undefined) return false;
  const { scale, shift } = change;
  const kind = affine.node.opType;
  // The bias first: it is computed from the unchanged weight.
  const touched = found.bias?.held !== undefined || shift !== undefined;
  const bias = touched
    ? weights.biased(found, { ...(scale !== undefined && { scale }), ...(shift !== undefined && { shift }) }, kind)
    : undefined;
  const weight = scale === undefined ? undefined : weights.scaled(found, scale, kind);
  if (plain && bias !== undefined) {
    const { name, extra } = affine.node;
    const product = folding.freshName(graph, affine.input, 'product');
    const add = createNode({
      name,
      opType: 'Add',
      inputs: [product, bias],
      outputs: [affine.output],
      ...(extra && { extra }),
    });
    graph.replaceNode(affine.node, add);
    rewrite(folding, graph, found, { weight, output: product });
  } else {
    graph.removeNode(affine.node);
    rewrite(folding, graph, found, { weight, bias, output: affine.output });
  }
  folding.count({ action: 'merged', what: kind, into: found.node.opType, side: 'before' });
  return true;
}

/**
 * Into the product after it: `α·(s·x + t)·W + β·b = α·x·(s·W) + (β·b + α·t·ΣW)`, ΣW over all that a channel adds up.
 * The second only without padding, which adds zeros where x would have been shifted. s and t are one number each: a
 * channel of x is not a channel of y.
 */
async function foldForward(folding: Folding, weights: FoldedWeights, graph: Graph, affine: Affine): Promise<boolean> {
  if (isOp(affine.node, 'BatchNormalization') || affine.dims.some((dim) => dim !== 1)) return false;
  const use = folding.onlyUse(graph, affine.output);
  if (use === undefined || closesGelu(graph, affine)) return false;
  const found = use.index === 0 ? productOf(folding, graph, use.node) : undefined;
  if (found === undefined) return foldPast(folding, weights, graph, affine);
  // A constant with fewer dims than the product's input cannot have changed the rank.
  const rank = isOp(found.node, 'MatMul') ? 0 : (found.rank ?? 0) - 1;
  if (affine.dims.length > rank && !folding.keepsShape(affine.dims.length, graph, affine.input)) return false;
  if (affine.shifts && (found.bias === undefined || !addsUpEvenly(found))) return false;
  const change = await affine.load();
  if (change === undefined) return false;
  const { scale, shift } = change;
  const kind = affine.node.opType;
  const bias = typeof shift === 'number' ? weights.biased(found, { fed: shift }, kind) : undefined;
  const weight = scale === undefined ? undefined : weights.scaled(found, scale, kind);
  graph.removeNode(affine.node);
  rewrite(folding, graph, found, { input: affine.input, weight, bias });
  folding.count({ action: 'merged', what: kind, into: found.node.opType, side: 'after' });
  return true;
}

/** Whether a factor is the last one of `x · (1 + Erf(…)) · 0.5`, which `geluFactor` of src/targets needs there. */
function closesGelu(graph: Graph, { input }: Affine): boolean {
  const makers = (node: Node | undefined, opType: string): Node[] =>
    node !== undefined && isOp(node, opType) ? node.inputs.flatMap((one) => graph.producer(one) ?? []) : [];
  const added = makers(graph.producer(input), 'Mul').flatMap((one) => makers(one, 'Add'));
  return added.some((one) => isOp(one, geluFactor.value));
}

async function foldPast(folding: Folding, weights: FoldedWeights, graph: Graph, affine: Affine): Promise<boolean> {
  const past = await foldPastAdd(folding, weights, graph, affine);
  if (past === undefined) return false;
  rewrite(folding, graph, past.product, past);
  const [what, into] = [affine.node.opType, past.product.node.opType];
  folding.count({ action: 'merged', what, into, side: 'after' });
  return true;
}

/** The new inputs and outputs of a product; undefined if unchanged. */
interface Rewritten {
  readonly input?: string;
  readonly weight?: string | undefined;
  readonly bias?: string | undefined;
  readonly output?: string;
}

/** Replaces a product and the Add after it. The value between them changes and gets a new name. */
function rewrite(folding: Folding, graph: Graph, product: Product, change: Rewritten): void {
  const { node, bias: slot } = product;
  const { input, weight, bias, output } = change;
  let next = node;
  if (input !== undefined) next = withInput(next, 0, input);
  if (weight !== undefined) next = withInput(next, 1, weight);
  if (slot === undefined || slot.node === node) {
    if (bias !== undefined) next = withBias(next, bias);
    if (output !== undefined) next = { ...next, outputs: [output] };
    graph.replaceNode(node, next);
    return;
  }
  let add = bias === undefined ? slot.node : withInput(slot.node, slot.index, bias);
  if (next !== node) {
    const between = folding.freshName(graph, node.outputs[0] ?? '', 'product');
    graph.replaceNode(node, { ...next, outputs: [between] });
    add = withInput(add, 1 - slot.index, between);
  }
  graph.replaceNode(slot.node, { ...add, outputs: [output ?? endOf(product)] });
}

function withInput(node: Node, index: number, value: string): Node {
  const inputs = [...node.inputs];
  while (inputs.length <= index) inputs.push('');
  inputs[index] = value;
  return { ...node, inputs };
}

/** The product with this bias, which already includes beta. */
function withBias(node: Node, bias: string): Node {
  const attributes = node.attributes.filter((one: Attribute) => !(isOp(node, 'Gemm') && one.name === 'beta'));
  return { ...withInput(node, 2, bias), attributes };
}
