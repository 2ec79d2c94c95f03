import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { attribute, createNode, isOp, type Node, stringAttribute } from '../../ir/node.ts';
import { constant } from '../../ir/tensor.ts';
import { dropUnused, madeFrom } from '../../layers/constant.ts';
import type { WeightUse } from '../../layers/select.ts';
import { traceBack } from '../../layers/trace.ts';

/** An Einsum that is a matrix product once its indices are flattened. */
export interface EinsumProduct {
  /** Free indices of x, then summed indices, then free indices of the weight. */
  readonly free: string;
  readonly summed: string;
  readonly kept: string;
  /** Whether the weight has its free indices before the summed ones. */
  readonly swapped: boolean;
}

/**
 * Reads an equation of an activation and a weight, e.g. `bsd,dhk->bshk` without spaces: batch and position stay, d is
 * summed over, h and k come from the weight.
 * @returns undefined if it is not a matrix product, or the output is implicit
 */
export function productOf(equation: string): EinsumProduct | undefined {
  const found = /^(\.\.\.)?([a-zA-Z]+),([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)$/.exec(equation);
  if (found === null) return undefined;
  const [, before, x = '', w = '', after, y = ''] = found;
  const once = [x, w, y].every((one) => new Set(one).size === one.length);
  if (before !== after || !once) return undefined;
  const summed = [...x].filter((one) => w.includes(one)).join('');
  const kept = [...w].filter((one) => !x.includes(one)).join('');
  const free = [...x].filter((one) => !w.includes(one)).join('');
  const ordered = x === free + summed && y === free + kept && (w === summed + kept || w === kept + summed);
  if (!ordered || summed === '' || kept === '') return undefined;
  // Behind an ellipsis, only the last dims of x and y are known.
  if (before !== undefined && (summed.length > 1 || kept.length > 1)) return undefined;
  return { free: (before ?? '') + free, summed, kept, swapped: w !== summed + kept };
}

/** The weight of an Einsum, the last input that is one. */
export function einsumWeight(graph: Graph, node: Node): WeightUse | undefined {
  if (!isOp(node, 'Einsum')) return undefined;
  for (let index = node.inputs.length - 1; index >= 0; index--) {
    const found = traceBack(graph, node.inputs[index] ?? '');
    const held = found?.held;
    if (held === undefined || !isFloat(held.tensor.dtype) || held.tensor.dims.length < 2) continue;
    return { ...found, held, graph, node, index } as WeightUse;
  }
  return undefined;
}

/**
 * Rewrites every Einsum of an activation and a weight as a MatMul:
 * ```
 * before:  y = Einsum <equation = "bshk,hkd->bsd"> (x, w [8, 64, 512])
 * after:   flat = Reshape (x, [0, 0, 512])      y = MatMul (flat, w_matrix [512, 512])
 * ```
 */
export function settleEinsums(model: Model): void {
  for (const { graph, node } of [...model.nodes()]) if (isOp(node, 'Einsum')) settle(model, graph, node);
}

function settle(model: Model, graph: Graph, node: Node): void {
  const index = einsumWeight(graph, node)?.index;
  if (index === undefined || node.inputs.length !== 2) return;
  const [x = '', w = ''] = [node.inputs[1 - index], node.inputs[index]];
  const equation = stringAttribute(node, 'equation', '').replaceAll(' ', '');
  const product = productOf(index === 1 ? equation : equation.replace(/^(.*),(.*)->/, '$2,$1->'));
  const held = traceBack(graph, w)?.held;
  if (product === undefined || held === undefined) return;
  const { free, summed, kept, swapped } = product;
  const { dims } = held.tensor;
  const plain = summed.length === 1 && kept.length === 1;
  if (dims.length !== summed.length + kept.length) return;
  let matrix = w;
  if (!plain) {
    // If nothing else reads the weight, change its own dims.
    const own = graph.constant(w) !== undefined && held.graph.kind === 'graph' && held.graph.uses(w).length === 1;
    if (!own || held.graph.isOverridable(w) || model.trainingNames.has(w)) return;
    const at = swapped ? kept.length : summed.length;
    matrix = held.graph.uniqueName(`${w}_matrix`);
    const flat = [elementCount(dims.slice(0, at)), elementCount(dims.slice(at))];
    held.graph.setInitializer(madeFrom(held, { ...held.tensor, name: matrix, dims: flat }));
  }
  const name = (part: string): string => graph.uniqueName(`${node.outputs[0]}_${part}`);
  const nodes: Node[] = [];
  if (swapped) {
    const transposed = name('weight');
    nodes.push(createNode({ opType: 'Transpose', inputs: [matrix], outputs: [transposed], attributes: [SWAP] }));
    matrix = transposed;
  }
  const reshape = (input: string, output: string, last: readonly number[]): Node => {
    const shape = name('shape');
    const values = [...[...free].map(() => 0), ...last].map(BigInt);
    graph.setInitializer(constant(shape, 'int64', [values.length], BigInt64Array.from(values)));
    return createNode({ name: name('Reshape'), opType: 'Reshape', inputs: [input, shape], outputs: [output] });
  };
  const rows = swapped ? dims.slice(kept.length) : dims.slice(0, summed.length);
  const columns = swapped ? dims.slice(0, kept.length) : dims.slice(summed.length);
  let left = x;
  if (summed.length > 1) {
    left = name('flat');
    nodes.push(reshape(x, left, [elementCount(rows)]));
  }
  const whole = kept.length === 1 ? (node.outputs[0] as string) : name('product');
  const { extra } = node;
  nodes.push(
    createNode({
      name: node.name,
      opType: 'MatMul',
      inputs: [left, matrix],
      outputs: [whole],
      ...(extra && { extra }),
    }),
  );
  if (kept.length > 1) nodes.push(reshape(whole, node.outputs[0] as string, columns));
  graph.replaceNode(node, ...nodes);
  if (!plain) dropUnused(held, model.trainingNames);
}

const SWAP = attribute.ints('perm', [1, 0]);
