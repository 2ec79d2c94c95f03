import type { Graph } from '../../ir/graph.ts';
import { createNode } from '../../ir/node.ts';
import { constant } from '../../ir/tensor.ts';
import { type Affine, affineOf } from './affine.ts';
import { rounded } from './arithmetic.ts';
import type { Folding } from './context.ts';
import { addsUpEvenly, type Product, productOf } from './product.ts';
import type { FoldedWeights } from './weights.ts';

/**
 * Moves a factor past an Add that cannot be folded because the following Conv pads:
 * ```
 * before  x ── Mul(s) ── Add(t) ── Conv(W, pads) ── y
 * after   x ── Add(t/s) ── Conv(s·W, pads) ── y
 * ```
 * `s·x + t = s·(x + t/s)`, and the zeros of the padding are zeros times s. s and t are one number each, s is not 0. The
 * Add is rewritten and the Mul removed. The Add's output changes and gets a new name.
 * @returns the product, and its new input
 */
export async function foldPastAdd(
  folding: Folding,
  weights: FoldedWeights,
  graph: Graph,
  affine: Affine,
): Promise<{ product: Product; input: string; weight: string } | undefined> {
  const add = nextAdd(folding, graph, affine);
  const use = add && folding.onlyUse(graph, add.output);
  const product = use?.index === 0 ? productOf(folding, graph, use.node) : undefined;
  if (add === undefined || product === undefined) return undefined;
  // The Add itself can be folded forward.
  if (addsUpEvenly(product) && product.bias !== undefined) return undefined;
  if (!folding.keepsShape(affine.dims.length, graph, affine.input)) return undefined;
  const [factor, added] = await Promise.all([affine.load(), add.load()]);
  if (typeof factor?.scale !== 'number' || typeof added?.shift !== 'number') return undefined;
  const shift = added.shift / factor.scale;
  if (!Number.isFinite(Math.fround(shift))) return undefined;
  const weight = weights.scaled(product, factor.scale, affine.node.opType);
  const output = folding.freshName(graph, add.output, 'shifted');
  const name = graph.uniqueName(`${add.output}_shift`);
  graph.setInitializer(constant(name, product.dtype, add.dims, rounded([shift], product.dtype)));
  graph.removeNode(affine.node);
  const { node } = add;
  const fields = { name: node.name, inputs: [affine.input, name], outputs: [output] };
  graph.replaceNode(node, createNode({ opType: 'Add', ...fields, ...(node.extra && { extra: node.extra }) }));
  return { product, input: output, weight };
}

/** The Add or Sub of a scalar that is the only reader of a scaled value. */
function nextAdd(folding: Folding, graph: Graph, affine: Affine): Affine | undefined {
  const isOne = (one: Affine): boolean => one.dims.every((dim) => dim === 1);
  if (!affine.scales || affine.shifts || !isOne(affine)) return undefined;
  const use = folding.onlyUse(graph, affine.output);
  const next = use && affineOf(folding, graph, use.node);
  return next !== undefined && !next.scales && isOne(next) ? next : undefined;
}
