import { DTYPES, type DType, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import { ValueFacts } from '../opset/infer.ts';
import type { Rewriting } from './rewriting.ts';

/**
 * Restores the model's type in a product that had to be float32 only because of its integers:
 * ```
 * before  x ── Cast(float32) ── MatMul(W) ── Add(Cast(bias)) ── Cast(float16) ── y
 * after   x ── MatMul(W) ── Add(bias) ── y
 * ```
 */
export function narrowProducts(work: Rewriting, graph: Graph): void {
  const facts = new ValueFacts();
  for (const node of graph.nodes) {
    const dtype = castTo(node);
    if (dtype === undefined || !isFloat(dtype) || dtype === 'float32') continue;
    const own = (value: string): string | undefined => {
      const cast = graph.producer(value);
      const [source = ''] = cast?.inputs ?? [];
      return cast !== undefined && castTo(cast) === 'float32' && facts.dtype(graph, source) === dtype
        ? source
        : undefined;
    };
    narrow(work, graph, node, dtype, own);
  }
}

/** @param own - what a value was before it was made float32, where it had the type */
function narrow(
  work: Rewriting,
  graph: Graph,
  end: Node,
  dtype: DType,
  own: (value: string) => string | undefined,
): void {
  const above = alone(graph, end.inputs[0] ?? '');
  const add = above !== undefined && isOp(above, 'Add') ? above : undefined;
  const product = add === undefined ? above : alone(graph, add.inputs[0] ?? '');
  if (product === undefined || !isOp(product, 'MatMul')) return;
  const [x = '', weight = ''] = product.inputs;
  const source = own(x);
  const added = add === undefined ? '' : own(add.inputs[1] ?? '');
  const use = graph.uses(weight);
  if (source === undefined || added === undefined || use.length !== 1 || !work.weights.recast(weight, dtype)) return;
  const [output = ''] = end.outputs;
  if (add === undefined) {
    graph.removeNode(product);
    work.replace(graph, end, { ...product, inputs: [source, weight], outputs: [output] });
    work.loosen(graph, product.inputs);
    return;
  }
  work.replace(graph, product, { ...product, inputs: [source, weight] });
  graph.removeNode(add);
  work.replace(graph, end, { ...add, inputs: [product.outputs[0] ?? '', added], outputs: [output] });
  work.loosen(graph, add.inputs);
}

/** The node that makes a value, if it has a single reader. */
function alone(graph: Graph, value: string): Node | undefined {
  const uses = graph.uses(value);
  return uses.length === 1 && uses[0]?.graph === graph ? graph.producer(value) : undefined;
}

function castTo(node: Node): DType | undefined {
  return isOp(node, 'Cast') ? DTYPES[intAttribute(node, 'to', 0)] : undefined;
}
