import type { Graph } from '../../ir/graph.ts';
import { intsAttribute, isOp, type Node } from '../../ir/node.ts';
import { movedPastNorm, removedOnLoad } from '../../targets/rewrites.ts';
import { throughSum } from '../sum.ts';
import { type Folding, isAnyOp } from './context.ts';

/** The most nodes followed between a MatMul and a BatchNormalization. */
const MAX_WAY = 16;

/**
 * Inserts a Sum with one input after every output that ONNX Runtime would remove from the graph:
 * ```
 * before  A ── Transpose ── t, an output ───────── Gemm ── y       Gemm <transA, transB> (A, B) ── y: nothing makes t
 *         B ── Transpose ───────────────────────────┘
 *
 * after   A ── Transpose ── t, an output ── Sum ── Gemm ── y
 *         B ── Transpose ───────────────────────────┘
 * ```
 * `transposedGemm` of src/targets: it looks at one of two inputs of a Gemm, and not at a Gemm before a Transpose one of
 * whose inputs is a Transpose too. {@link movedPastNorm}: not at what moves values between a MatMul and a
 * BatchNormalization. The model does not load then; a body of If, Loop or Scan gives out other memory.
 *
 * Folding creates such neighbours when it removes an Identity between them, or an unread node that also read the value.
 */
export function separate(folding: Folding): void {
  for (const graph of folding.graphs) {
    for (const { name } of graph.outputs) {
      const producer = graph.producer(name);
      const readers = producer === undefined ? undefined : readersOf(graph, name);
      if (producer === undefined || readers === undefined || !isFusedAway(folding, graph, producer, readers)) continue;
      const direct = new Set(graph.uses(name).flatMap((use) => use.node ?? []));
      throughSum(graph, name, [...direct], 'apart');
      folding.count({ action: 'apart' });
    }
  }
}

/** Whether ONNX Runtime fuses the producer of an output with its reader. */
function isFusedAway(folding: Folding, graph: Graph, producer: Node, readers: readonly Node[]): boolean {
  const [first, second] = readers;
  if (first === undefined) return false;
  if (isTranspose(producer) && readers.every((one) => isOp(one, 'Gemm'))) {
    return readers.some((gemm) => hasTranspose(graph, gemm, producer) || feedsTranspose(graph, gemm));
  }
  if (second !== undefined) return false;
  if (isOp(producer, 'Gemm') && isTranspose(first)) return !hasBias(producer) && hasTranspose(graph, producer);
  return isMover(producer) && followsMatMul(folding, graph, producer) && isBeforeNorm(folding, graph, first);
}

/**
 * The nodes that read a value once ONNX Runtime has removed Identity and Dropout, not counting graph outputs.
 * @returns undefined if a body reads it too: ONNX Runtime then keeps it
 */
function readersOf(graph: Graph, value: string): Node[] | undefined {
  const found = new Set<Node>();
  const open = [...graph.uses(value)];
  for (let use = open.pop(); use !== undefined; use = open.pop()) {
    if (use.graph !== graph) return undefined;
    const { node } = use;
    if (node === undefined) continue;
    const further = isAnyOp(node, ...removedOnLoad.value) ? graph.uses(node.outputs[0] ?? '') : [];
    if (further.length === 0 || further.some((one) => one.node === undefined)) found.add(node);
    else open.push(...further);
  }
  return [...found];
}

/** A node that may be a Transpose of a matrix. */
function isTranspose(node: Node | undefined): node is Node {
  if (node === undefined || !isOp(node, 'Transpose')) return false;
  const perm = intsAttribute(node, 'perm');
  return perm === undefined || (perm.length === 2 && perm[0] === 1);
}

/** Whether a factor of a Gemm is a Transpose other than `except`. */
function hasTranspose(graph: Graph, gemm: Node, except?: Node): boolean {
  return gemm.inputs.slice(0, 2).some((value) => {
    const producer = graph.producer(value);
    return producer !== except && isTranspose(producer);
  });
}

/** Whether a Gemm has no bias and a Transpose as its only reader. */
function feedsTranspose(graph: Graph, gemm: Node): boolean {
  const [first, second] = readersOf(graph, gemm.outputs[0] ?? '') ?? [];
  return !hasBias(gemm) && second === undefined && isTranspose(first);
}

function hasBias(gemm: Node): boolean {
  return gemm.inputs.length > 2;
}

/** Whether ONNX Runtime looks through a node between a MatMul and a BatchNormalization. */
function isMover(node: Node): boolean {
  return isAnyOp(node, ...movedPastNorm.value);
}

/** Whether the node moves the output of a MatMul with a constant weight, without other readers on the way. */
function followsMatMul(folding: Folding, graph: Graph, mover: Node): boolean {
  let node: Node | undefined = mover;
  for (let step = 0; step < MAX_WAY && node !== undefined; step++) {
    const value: string = node.inputs[0] ?? '';
    node = graph.producer(value);
    if (node === undefined || readersOf(graph, value)?.length !== 1) return false;
    if (isOp(node, 'MatMul')) return folding.constant(graph, node.inputs[1]) !== undefined;
    if (!isMover(node) && !isAnyOp(node, ...removedOnLoad.value)) return false;
  }
  return false;
}

/** Whether the node is a BatchNormalization, or moves a value that only one reads. */
function isBeforeNorm(folding: Folding, graph: Graph, first: Node): boolean {
  let node: Node | undefined = first;
  for (let step = 0; step < MAX_WAY && node !== undefined; step++) {
    if (isOp(node, 'BatchNormalization')) {
      return node.inputs.slice(1, 5).every((one) => folding.constant(graph, one) !== undefined);
    }
    if (!isMover(node)) return false;
    const [next, other]: Node[] = readersOf(graph, node.outputs[0] ?? '') ?? [];
    if (other !== undefined) return false;
    node = next;
  }
  return false;
}
