import { DTYPES } from '../ir/dtype.ts';
import type { Graph, Use } from '../ir/graph.ts';
import { intAttribute, isOp, type Node } from '../ir/node.ts';
import { movedPastDequantize, removedOnLoad, statedType, withoutEffect } from '../targets/rewrites.ts';
import { ValueFacts } from './opset/infer.ts';
import { throughSum } from './sum.ts';

/**
 * Inserts a Sum with one input where ONNX Runtime would rewrite a DequantizeLinear into a graph that it fails to load:
 * ```
 * before  q ── DequantizeLinear ──────── Transpose ── y
 *
 * after   q ── DequantizeLinear ── Sum ── Transpose ── y
 * ```
 * {@link movedPastDequantize} describes the rewritten graph and where it ends the process, {@link statedType} what goes
 * wrong with int8. Quantized constants are not affected: ONNX Runtime folds them first.
 * @returns how many were inserted
 */
export function stopCarrying(graph: Graph, opset: number): number {
  const facts = new ValueFacts();
  const broken = graph.nodes.flatMap((node) => {
    if (!isQuantization(node, 'DequantizeLinear') || !isCarried(graph, node)) return [];
    const int8 = opset >= statedType.value && isRetyped(graph, node, facts);
    return moversOf(graph, node).filter((mover) => breaks(graph, mover, int8));
  });
  for (const mover of broken) throughSum(graph, mover.inputs[0] ?? '', [mover], 'carried');
  return broken.length;
}

/** QuantizeLinear or DequantizeLinear, of the standard domain or of ONNX Runtime's. */
function isQuantization(node: Node, opType: string): boolean {
  return isOp(node, opType) || (node.opType === opType && node.domain === 'com.microsoft');
}

/**
 * Whether ONNX Runtime propagates this DequantizeLinear: its input is not a constant, and scale and zero point are
 * scalars.
 */
function isCarried(graph: Graph, { inputs: [x = '', ...steps] }: Node): boolean {
  const held = graph.constant(x);
  if (held !== undefined && !held.graph.isOverridable(x)) return false;
  return steps.every((name) => name === '' || isScalar(graph, name));
}

/** Whether a value may be a constant scalar. A computed value may be one. */
function isScalar(graph: Graph, name: string): boolean {
  const held = graph.constant(name);
  if (held === undefined) return !graph.isInput(name);
  return !held.graph.isOverridable(name) && held.tensor.dims.reduce((product, dim) => product * dim, 1) === 1;
}

/** Whether ONNX Runtime makes the new pair uint8: its zero point is int8 and in the same graph. */
function isRetyped(graph: Graph, node: Node, facts: ValueFacts): boolean {
  const zeroPoint = node.inputs[2] ?? '';
  if (zeroPoint === '' || !isOp(node, node.opType) || !graph.defines(zeroPoint)) return false;
  return facts.dtype(graph, zeroPoint) === 'int8';
}

/** Operators of this graph that read the node's output and only move its elements. */
function moversOf(graph: Graph, node: Node): Node[] {
  return readersOf(graph, node).flatMap((use) => (isMover(graph, use) ? [use.node] : []));
}

function isMover(graph: Graph, use: Use): use is Use & { readonly node: Node } {
  const { node } = use;
  return (
    use.graph === graph &&
    node !== undefined &&
    isOp(node, node.opType) &&
    movedPastDequantize.value.includes(node.opType)
  );
}

/** Whether ONNX Runtime fails on the pair it inserts after `mover`, or after the movers that follow. */
function breaks(graph: Graph, mover: Node, int8: boolean): boolean {
  const open = [mover];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const near = readersOf(graph, node, isRemoved);
    if (near.some((use) => use.node !== undefined && isQuantization(use.node, 'QuantizeLinear'))) continue;
    const readers = readersOf(graph, node);
    if (readers.some((use) => use.graph !== graph)) return true;
    // One QuantizeLinear with several readers stays int8, but readers become one where ONNX Runtime fuses them.
    if (int8 && readers.length > 0) return true;
    open.push(...readers.flatMap((use) => (isMover(graph, use) ? [use.node] : [])));
  }
  return false;
}

/** All uses of the first output of a node, looking through nodes that ONNX Runtime removes or may remove. */
function readersOf(graph: Graph, node: Node, isGone = mayBeRemoved): Use[] {
  const found: Use[] = [];
  const open = [...graph.uses(node.outputs[0] ?? '')];
  for (let use = open.pop(); use !== undefined; use = open.pop()) {
    const { node: reader } = use;
    const leaves = use.graph === graph && reader !== undefined && isGone(reader, graph);
    if (leaves) open.push(...graph.uses(reader.outputs[0] ?? ''));
    else found.push(use);
  }
  return found;
}

function isRemoved(node: Node): boolean {
  return removedOnLoad.value.some((opType) => isOp(node, opType));
}

/**
 * Whether ONNX Runtime removes the node, or would for certain constants: a factor of 1, a Reshape to the same shape.
 */
function mayBeRemoved(node: Node, graph: Graph): boolean {
  if (isRemoved(node) || isOp(node, 'Expand')) return true;
  if (!isOp(node, node.opType)) return false;
  if (withoutEffect.value.includes(node.opType))
    return node.inputs.some((name) => graph.constant(name) !== undefined && isScalar(graph, name));
  // Dequantized values are nearly always float32, and a Cast to float32 then changes nothing.
  return node.opType === 'Cast' && DTYPES[intAttribute(node, 'to', 0)] === 'float32';
}
