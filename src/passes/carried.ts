import { DTYPES } from '../ir/dtype.ts';
import type { Graph, Use } from '../ir/graph.ts';
import { intAttribute, isOp, type Node } from '../ir/node.ts';
import { movedPastDequantize, statedType, takenOut, withoutEffect } from '../targets/rewrites.ts';
import { ValueFacts } from './opset/infer.ts';
import { throughSum } from './sum.ts';

/**
 * Puts a Sum of one input where ONNX Runtime fails to load what it makes of a DequantizeLinear:
 * ```
 * before  q ── DequantizeLinear ──────── Transpose ── y
 *
 * after   q ── DequantizeLinear ── Sum ── Transpose ── y
 * ```
 * {@link movedPastDequantize} tells what it makes, and where that ends the process; {@link statedType} what goes wrong
 * with int8. A quantized constant it computes ahead.
 * @returns how many were put there
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

/** QuantizeLinear or DequantizeLinear, standard or ONNX Runtime's own. */
function isQuantization(node: Node, opType: string): boolean {
  return isOp(node, opType) || (node.opType === opType && node.domain === 'com.microsoft');
}

/**
 * Whether ONNX Runtime carries this DequantizeLinear on: its input is not a constant, scale and zero point are scalars.
 */
function isCarried(graph: Graph, { inputs: [x = '', ...steps] }: Node): boolean {
  const held = graph.constant(x);
  if (held !== undefined && !held.graph.isOverridable(x)) return false;
  return steps.every((name) => name === '' || isScalar(graph, name));
}

/** Whether a value is one constant number, as far as the file tells: one that is computed may be. */
function isScalar(graph: Graph, name: string): boolean {
  const held = graph.constant(name);
  if (held === undefined) return !graph.isInput(name);
  return !held.graph.isOverridable(name) && held.tensor.dims.reduce((product, dim) => product * dim, 1) === 1;
}

/** Whether ONNX Runtime makes the new pair uint8: there is a zero point, of int8, in the same graph. */
function isRetyped(graph: Graph, node: Node, facts: ValueFacts): boolean {
  const zeroPoint = node.inputs[2] ?? '';
  if (zeroPoint === '' || !isOp(node, node.opType) || !graph.defines(zeroPoint)) return false;
  return facts.dtype(graph, zeroPoint) === 'int8';
}

/** The operators of this graph after the node that only move what it makes. */
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

/** Whether ONNX Runtime fails on what it writes after `mover`, or after the next ones it comes to from there. */
function breaks(graph: Graph, mover: Node, int8: boolean): boolean {
  const open = [mover];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const near = readersOf(graph, node, isTakenOut);
    if (near.some((use) => use.node !== undefined && isQuantization(use.node, 'QuantizeLinear'))) continue;
    const readers = readersOf(graph, node);
    if (readers.some((use) => use.graph !== graph)) return true;
    // One QuantizeLinear with several readers stays int8, but readers become one where ONNX Runtime fuses them.
    if (int8 && readers.length > 0) return true;
    open.push(...readers.flatMap((use) => (isMover(graph, use) ? [use.node] : [])));
  }
  return false;
}

/** Everything that reads the first output of a node, once what ONNX Runtime takes out, or may take out, is gone. */
function readersOf(graph: Graph, node: Node, isGone = mayBeTakenOut): Use[] {
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

function isTakenOut(node: Node): boolean {
  return takenOut.value.some((opType) => isOp(node, opType));
}

/** Whether ONNX Runtime takes the node out, or would with a certain constant: 1 to multiply by, the shape it has. */
function mayBeTakenOut(node: Node, graph: Graph): boolean {
  if (isTakenOut(node) || isOp(node, 'Expand')) return true;
  if (!isOp(node, node.opType)) return false;
  if (withoutEffect.value.includes(node.opType))
    return node.inputs.some((name) => graph.constant(name) !== undefined && isScalar(graph, name));
  // What is dequantized is float32 nearly always: a Cast to that changes nothing.
  return node.opType === 'Cast' && DTYPES[intAttribute(node, 'to', 0)] === 'float32';
}
