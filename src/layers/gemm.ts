import type { Graph } from '../ir/graph.ts';
import { attribute, createNode, floatAttribute, intAttribute, type Node } from '../ir/node.ts';
import { constant } from '../ir/tensor.ts';
import { ownBias } from './bias.ts';

/** The parts of a Gemm as a product: `alpha · A' · B' + beta · C`. */
export interface GemmParts {
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
  readonly beta: number;
  readonly c: string | undefined;
}

/** The attributes of a Gemm node with their defaults. */
export function gemmParts(node: Node): GemmParts {
  const beta = floatAttribute(node, 'beta', 1);
  const c = ownBias(node);
  return {
    transA: intAttribute(node, 'transA', 0) !== 0,
    transB: intAttribute(node, 'transB', 0) !== 0,
    alpha: floatAttribute(node, 'alpha', 1),
    beta,
    c: beta === 0 ? undefined : c,
  };
}

/** Inserts a Transpose before `anchor`; returns its output. */
export function transposeBefore(graph: Graph, anchor: Node, x: string, rank: number): string {
  const output = graph.uniqueName(`${x}_transposed`);
  graph.insertBefore(anchor, transposeNode(graph, x, output, rank));
  return output;
}

/** A node that swaps the last two axes. */
export function transposeNode(graph: Graph, x: string, output: string, rank: number): Node {
  const perm = [...Array(rank).keys()];
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  const name = graph.uniqueName(`${output}_Transpose`);
  return createNode({
    name,
    opType: 'Transpose',
    inputs: [x],
    outputs: [output],
    attributes: [attribute.ints('perm', perm)],
  });
}

/** Computes `beta · C` before `anchor`, in the model's own float type. */
export function scaledBefore(graph: Graph, anchor: Node, c: string, beta: number): string {
  const factor = graph.uniqueName(`${c}_beta`);
  graph.setInitializer(constant(factor, 'float32', [], Float32Array.of(beta)));
  const output = graph.uniqueName(`${c}_scaled`);
  const name = graph.uniqueName(`${c}_Mul`);
  graph.insertBefore(anchor, createNode({ name, opType: 'Mul', inputs: [c, factor], outputs: [output] }));
  return output;
}
