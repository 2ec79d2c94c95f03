import { elementCount } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import { isOp, isStandard, type Node } from '../ir/node.ts';
import { BETWEEN, upstream } from './float16/chains.ts';
import { comesOfProduct, MOVERS, NEAR, readersThrough } from './quantize/meets.ts';

/** Operators that need an exact angle. */
const ANGLES = new Set(['Cos', 'Sin', 'Tan']);

/**
 * Whether rows of a table rotate the result of a product, as rotary position embeddings do: the table holds cosines or
 * sines, or their angles, and is multiplied by queries and keys.
 */
export function isRotary(graph: Graph, gather: Node): boolean {
  return readersThrough(graph, gather, [...MOVERS, 'Cos', 'Sin'], NEAR).some(({ graph: at, node, index }) => {
    return isOp(node, 'Mul') && comesOfProduct(at, node.inputs[1 - index] ?? '');
  });
}

/** Nodes that compute angles, up to the Sin, Cos or Tan that reads them. */
export function angleNodes(graph: Graph): ReadonlySet<Node> {
  const angles = graph.nodes.filter((node) => isStandard(node.domain) && ANGLES.has(node.opType));
  return upstream(
    graph,
    angles,
    (one) => makesAngle(graph, one),
    (one) => isOp(one, 'Gather'),
  );
}

/**
 * Whether a constant is a factor of angles, as the inverse frequencies of rotary embeddings are: a vector that
 * positions are multiplied by, so that its rounding grows with the position. Or it is a table of such products.
 * @param angles - the {@link angleNodes} of all graphs
 */
export function isFrequency({ graph, name }: { graph: Graph; name: string }, angles: ReadonlySet<Node>): boolean {
  return graph
    .uses(name)
    .some(
      ({ node, index }) =>
        node !== undefined && angles.has(node) && (isOp(node, 'Gather') ? index === 0 : isVector(graph, name)),
    );
}

/** Whether a node is part of an angle: up to the weights or the values it comes from. */
function makesAngle(graph: Graph, node: Node): boolean {
  if (isOp(node, 'Gather')) return graph.constant(node.inputs[0] ?? '') !== undefined;
  const multiplies = isOp(node, 'MatMul') || isOp(node, 'Einsum');
  return BETWEEN.has(node.opType) || (multiplies && node.inputs.every((one) => isVector(graph, one)));
}

/** Whether a value is not a weight: not constant, or a vector. */
function isVector(graph: Graph, value: string): boolean {
  const dims = graph.constant(value)?.tensor.dims;
  return dims === undefined || elementCount(dims) === Math.max(1, ...dims);
}
