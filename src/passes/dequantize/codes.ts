import type { Constant, Graph } from '../../ir/graph.ts';
import { attribute, createNode, findAttribute, intAttribute, isOp, type Node } from '../../ir/node.ts';
import { constantName, isVariable } from '../../layers/constant.ts';
import { transposeBefore } from '../../layers/gemm.ts';
import { codeInputs, codesAt } from '../../schemes/contrib.ts';
import { type Decodable, sourceConstant } from '../../schemes/decodable.ts';
import type { Layout } from './floats.ts';
import type { Rewriting } from './rewriting.ts';

/**
 * An operator of ONNX Runtime's own that holds codes becomes the one that reads floats:
 * ```
 * MatMulNBits, MatMulBnb4 (x, B, …, bias)     →  MatMul(x, W) + bias
 * GatherBlockQuantized (table, ids, …)        →  Gather(W, ids)
 * QMoE (x, router, fc1, …)                    →  MoE(x, router, W1, …)
 * ```
 * If both of the first two read the same codes, they stay one weight: a Transpose turns the table into the product's
 * factor.
 */
export function dequantizeCodes(work: Rewriting, graph: Graph, node: Node): void {
  const floats = new Map<number, string>();
  const layout: Layout = node.opType.startsWith('MatMul') ? { swapped: true } : {};
  const found: [number, Decodable][] = [];
  for (const index of codeInputs(node)) {
    const weight = codesAt(graph, node, index);
    const held = sourceConstant(graph, node.inputs[index] ?? '')?.held;
    if (weight === undefined || held === undefined || isVariable(work.model, held)) return;
    if (held.graph.kind === 'function') return;
    found.push([index, weight]);
  }
  for (const [index, weight] of found) {
    const held = sourceConstant(graph, node.inputs[index] ?? '')?.held;
    if (held === undefined) continue;
    const tied = layout.swapped === true && (work.weights.has(held, weight) || isTable(held));
    const name = work.weights.of(held, weight, tied ? {} : layout);
    floats.set(index, tied ? transposeBefore(graph, node, name, 2) : name);
  }
  const input = (index: number): string => floats.get(index) ?? node.inputs[index] ?? '';
  switch (node.opType) {
    case 'MatMulNBits':
    case 'MatMulBnb4':
      product(work, graph, node, [input(0), input(1)], node.opType === 'MatMulNBits' ? input(5) : '');
      return;
    case 'GatherBlockQuantized': {
      const attributes = [attribute.int('axis', intAttribute(node, 'gather_axis', 0))];
      const next = {
        name: node.name,
        opType: 'Gather',
        inputs: [input(0), input(1)],
        outputs: node.outputs,
        attributes,
      };
      work.replace(graph, node, createNode(next));
      return;
    }
    case 'QMoE':
      work.replace(graph, node, expertsNode(node, input));
  }
}

/** Whether rows of codes are looked up. */
function isTable(held: Constant): boolean {
  const looked = (node: Node | undefined): boolean => node?.opType === 'GatherBlockQuantized';
  return held.graph
    .uses(constantName(held))
    .some(({ graph, node }) =>
      node !== undefined && isOp(node, 'Reshape')
        ? graph.uses(node.outputs[0] ?? '').some((use) => looked(use.node))
        : looked(node),
    );
}

/** Replaces a node by `y = x · W (+ bias)`. */
export function product(
  work: Rewriting,
  graph: Graph,
  node: Node,
  inputs: readonly [string, string],
  bias: string,
  output: string = node.outputs[0] ?? '',
): void {
  const { name } = node;
  if (bias === '') {
    work.replace(graph, node, createNode({ name, opType: 'MatMul', inputs, outputs: [output] }));
    return;
  }
  const raw = graph.uniqueName(`${output}_product`);
  work.replace(
    graph,
    node,
    createNode({ name, opType: 'MatMul', inputs, outputs: [raw] }),
    createNode({ name: graph.uniqueName(`${output}_Add`), opType: 'Add', inputs: [raw, bias], outputs: [output] }),
  );
}

/** Attributes that MoE has too. */
const EXPERT_ATTRIBUTES = [
  ...['activation_type', 'k', 'normalize_routing_weights', 'use_sparse_mixer', 'swiglu_fusion', 'swiglu_limit'],
  ...['activation_alpha', 'activation_beta'],
];

function expertsNode(node: Node, input: (index: number) => string): Node {
  const inputs = [0, 1, 2, 4, 5, 7, 8, 10].map(input);
  while (inputs.at(-1) === '') inputs.pop();
  const attributes = EXPERT_ATTRIBUTES.flatMap((name) => findAttribute(node, name) ?? []);
  return createNode({ ...node, opType: 'MoE', inputs, attributes });
}
