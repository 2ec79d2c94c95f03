import { withBodies } from '../../ir/bodies.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { isOp, isStandard, type Node } from '../../ir/node.ts';
import { orderedNodes } from '../../ir/order.ts';
import { arithmeticOf } from '../../schemes/chains.ts';
import { hasCodes } from '../../schemes/contrib.ts';
import { isIntegerOp } from '../../schemes/operators.ts';
import { dropUnread } from '../constants/region.ts';
import { widenStored } from '../float16/wide.ts';
import { inlineFunctions, inliningNotes } from '../inline/index.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass, PassReport } from '../pass.ts';
import { bypass } from '../rename.ts';
import { move, quantizeLinear } from './activations.ts';
import { dequantizeCodes } from './codes.ts';
import { dequantizeComputed } from './computed.ts';
import { dequantizeArithmetic, dequantizeLinear } from './linear.ts';
import { narrowProducts } from './narrow.ts';
import { dequantizeProduct, dynamicLstm, dynamicMatMul, integerToFloat } from './products.ts';
import { dequantizeOperator, isQuantizedOp } from './qlinear.ts';
import { factOf, isStep, leftovers, notesOf } from './report.ts';
import { Rewriting } from './rewriting.ts';
import { lookUpLast } from './tables.ts';

/**
 * Restores a float model, whichever way its weights and activations were quantized, by this package or another:
 * ```
 * before  x ── DynamicQuantizeLinear ── DequantizeLinear ── MatMul(DequantizeLinear(W_quantized)) ── Sum ── y
 *         x ── QLinearConv(W_quantized, …) ── DequantizeLinear ── y
 *         x ── MatMulNBits(W_Q4, …) ── y
 *         x ── MatMul(Cast(W_float16)) ── y
 *
 * after   x ── MatMul(W) ── y
 * ```
 * Weights get the values that the integers represented, in the type of their scales; they are computed in chunks while
 * the model is written. Activations are floats: pairs of QuantizeLinear and DequantizeLinear are removed, with their
 * rounding. A Relu that a quantizer had replaced by integers starting at 0 is restored. Inputs and outputs keep their
 * names, and so do weights if the names of their integers reveal them.
 * @example
 * await transform(model, dequantize());
 */
export function dequantize(): Pass {
  return { name: 'dequantize', run };
}

async function run(model: Model): Promise<PassReport> {
  const { notes: broken, ...unpacked } = await unpackFirst(model);
  const inlined = inlineFunctions(model, (callee) =>
    withBodies([callee]).some((graph) => graph.nodes.some((node) => isQuantized(graph, node))),
  );
  const work = new Rewriting(model);
  for (const graph of model.graphs()) {
    if (graph.root.kind === 'function') continue;
    for (const node of graph.nodes) if (isOp(node, 'Gather')) await lookUpLast(work, graph, node);
    for (const node of orderedNodes(graph)) {
      if (graph.producer(node.outputs.find((one) => one !== '') ?? '') === node) await rewrite(work, graph, node);
    }
  }
  settle(work);
  const changes = [...work.weights.settled(), ...widenStored(model)];
  if (changes.length > 0) model.freeInitializers();
  const left = leftovers(work);
  const fact = factOf(work);
  const notes = [...notesOf(fact), ...left.notes, ...broken, ...inliningNotes(inlined)];
  const facts = fact.values > 0 ? { facts: [fact] } : {};
  return { pass: 'dequantize', changes, skips: left.skips, ...unpacked, ...facts, notes };
}

/** Whether a node reads or makes integers that represent real numbers. */
function isQuantized(graph: Graph, node: Node): boolean {
  return isStep(node) || isIntegerOp(node) || arithmeticOf(graph, node) !== undefined;
}

async function rewrite(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  const { opType } = node;
  if (hasCodes(node)) return dequantizeCodes(work, graph, node);
  if (isStep(node)) {
    return opType === 'DequantizeLinear' ? dequantizeLinear(work, graph, node) : quantizeLinear(work, graph, node);
  }
  if (isQuantizedOp(node)) return dequantizeOperator(work, graph, node);
  switch (opType) {
    case 'MatMulInteger':
    case 'ConvInteger':
      return dequantizeProduct(work, graph, node);
    case 'DynamicQuantizeMatMul':
      return dynamicMatMul(work, graph, node);
    case 'MatMulIntegerToFloat':
      return integerToFloat(work, graph, node);
    case 'DynamicQuantizeLSTM':
      return dynamicLstm(work, graph, node);
    case 'Mul':
      if (await dequantizeArithmetic(work, graph, node)) return;
      return dequantizeComputed(work, graph, node);
    default:
      await move(work, graph, node);
      return dequantizeComputed(work, graph, node);
  }
}

/** Removes nodes that only pass values on, and nodes that are no longer read. */
function settle(work: Rewriting): void {
  const { model, links, loose } = work;
  if (loose.length === 0) return;
  const { trainingNames } = model;
  for (const { graph, value } of links) {
    const node = graph.producer(value);
    if (node !== undefined && isOp(node, 'Identity')) bypass(graph, node, node.inputs[0] ?? '', trainingNames);
  }
  for (const graph of model.graphs()) if (graph.root.kind !== 'function') settleGraph(work, graph);
  for (const { graph, values } of loose) {
    dropUnread(model, graph, values, ({ domain }) => isStandard(domain) || domain === CONTRIB);
  }
  for (const { node } of model.nodes()) if (node.domain === CONTRIB) return;
  model.removeOpset(CONTRIB);
}

/** The domain of ONNX Runtime's own operators. */
const CONTRIB = 'com.microsoft';

/** Restores the remaining nodes of one graph to their form before quantization. */
function settleGraph(work: Rewriting, graph: Graph): void {
  settleSums(graph, work.model.trainingNames);
  narrowProducts(work, graph);
}

/** Removes a Sum with one input, and turns one that adds to a product back into an Add. */
function settleSums(graph: Graph, keep: ReadonlySet<string>): void {
  for (const node of graph.nodes) {
    if (!isOp(node, 'Sum') || graph.producer(node.outputs[0] ?? '') !== node) continue;
    const [first = ''] = node.inputs;
    if (node.inputs.length === 1) bypass(graph, node, first, keep);
    const made = node.inputs.length === 2 ? graph.producer(first) : undefined;
    if (made !== undefined && isOp(made, 'MatMul')) graph.replaceNode(node, { ...node, opType: 'Add' });
  }
}
