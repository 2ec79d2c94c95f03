import { DTYPES, elementCount, isFloat } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import { reshapedDims } from '../../ir/reshapedDims.ts';
import { arithmeticOf, movedWeight } from '../../schemes/chains.ts';
import { integerWeight } from '../../schemes/computed.ts';
import { sourceTensor } from '../../schemes/decodable.ts';
import { sharingOf } from '../../schemes/granularity.ts';
import { stepRoleOf } from '../../schemes/recognize.ts';
import { sourceCodes } from '../../schemes/unpacked.ts';
import { integers } from '../constants/call.ts';
import { canRedirect, redirect } from '../rename.ts';
import { type Layout, originalOf } from './floats.ts';
import type { Rewriting } from './rewriting.ts';

/**
 * Removes a DequantizeLinear whose float is known: the input of the QuantizeLinear, or the weight that the integers
 * represent.
 * ```
 * before  x ── QuantizeLinear ── DequantizeLinear ── y        after  x ── y
 *         W_quantized ── DequantizeLinear ── y                       W ── y
 *         Gather(W_quantized, ids) ── DequantizeLinear ── y          Gather(W, ids) ── y
 * ```
 */
export async function dequantizeLinear(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  const [integers = '', scale = '', zeroPoint = ''] = node.inputs;
  const float = await work.floatOf(graph, integers, scale, zeroPoint);
  if (float !== undefined) {
    work.link(graph, node, float);
    return;
  }
  const moved = movedWeight(graph, integers, { scale, zeroPoint, sharing: sharingOf(node) });
  const output = DTYPES[intAttribute(node, 'output_dtype', 0)];
  const layout: Layout = output !== undefined && isFloat(output) ? { dtype: output } : {};
  const name = moved && (await work.moved(graph, node, moved, layout));
  if (name !== undefined) {
    work.link(graph, node, name);
    return;
  }
  const gather = graph.producer(integers);
  const single = elementCount(sourceTensor(graph, scale)?.dims ?? [0, 0]) === 1;
  if (gather === undefined || !isOp(gather, 'Gather') || !single) return;
  const table = movedWeight(graph, gather.inputs[0] ?? '', { scale, zeroPoint });
  const rows = table && (await work.moved(graph, node, table, layout));
  if (rows !== undefined) lookUp(work, graph, gather, rows, node);
}

/**
 * The Mul of `(Cast(W_quantized) − zero point) · scale` is removed, with nodes that only change the product's dims or
 * float type. Table rows are looked up among floats.
 * @returns whether it was one
 */
export async function dequantizeArithmetic(work: Rewriting, graph: Graph, node: Node): Promise<boolean> {
  // Scales that are themselves stored as integers are decoded with the weight they belong to.
  if (stepRoleOf(graph, node, 0) === 'scale') return false;
  const found = arithmeticOf(graph, node);
  // Packed codes become floats at the end of the nodes that unpack them, which may include a Slice.
  if (found?.gather === undefined && sourceCodes(graph, found?.data ?? '') !== undefined) return false;
  const moved =
    found && (movedWeight(graph, found.data, found.steps) ?? (await integerWeight(graph, found.data, found.steps)));
  if (found === undefined || moved === undefined) return false;
  const { end, ...layout } = await formed(
    graph,
    freed(graph, node, moved.held),
    found.gather === undefined ? moved.weight.dims : undefined,
  );
  const name = await work.moved(graph, node, moved, layout);
  if (name === undefined) return false;
  if (found.gather !== undefined) lookUp(work, graph, found.gather, name, end);
  else work.link(graph, end, name);
  return true;
}

/** The node, with its output renamed if it has the original name of the weight, which gets that name back. */
function freed(graph: Graph, node: Node, held: Constant): Node {
  const [name = ''] = node.outputs;
  const other = graph.uniqueName(`${name}_stored`);
  if (held.graph !== graph || originalOf(held) !== name || !canRedirect(graph, name, other)) return node;
  const renamed = { ...node, outputs: [other] };
  graph.replaceNode(node, renamed);
  redirect(graph, name, other);
  return renamed;
}

/** Looks up rows of a float table, under the output name of the node it replaces. */
function lookUp(work: Rewriting, graph: Graph, gather: Node, table: string, end: Node): void {
  const inputs = [table, ...gather.inputs.slice(1)];
  work.replace(graph, end, { ...gather, inputs, outputs: [end.outputs[0] ?? ''] });
}

/** What alone follows a value and only gives it other dims or another float type, and what these are. */
async function formed(
  graph: Graph,
  node: Node,
  dims: readonly number[] | undefined,
): Promise<Layout & { readonly end: Node }> {
  let end = node;
  let layout: Layout = {};
  let shape = dims;
  for (;;) {
    const [use, more] = graph.uses(end.outputs[0] ?? '');
    const next = more === undefined && use?.graph === graph && use.index === 0 ? use.node : undefined;
    if (next === undefined) break;
    if (isOp(next, 'Reshape') && shape !== undefined) {
      const wanted = await integers(graph.constant(next.inputs[1] ?? '')?.tensor);
      shape = wanted && reshapedDims(next, shape, wanted);
      if (shape === undefined) break;
      layout = { ...layout, dims: shape };
    } else if (isOp(next, 'Cast')) {
      const dtype = DTYPES[intAttribute(next, 'to', 0)] ?? 'undefined';
      if (!isFloat(dtype)) break;
      layout = { ...layout, dtype };
    } else break;
    end = next;
  }
  return { ...layout, end };
}
