import type { Graph } from '../../../ir/graph.ts';
import type { Model } from '../../../ir/model.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import { weightAxes } from '../../../layers/axes.ts';
import { gemmParts } from '../../../layers/gemm.ts';
import { isExcluded, skipUse, type WeightUse, weightOf } from '../../../layers/select.ts';
import type { Skip } from '../../../layers/skip.ts';
import type { QuantizeOptions } from '../options.ts';

/** A Conv or Gemm that can run on integers, with the values whose ranges that takes. */
export interface Candidate {
  readonly use: WeightUse;
  /** The activation it reads. */
  readonly x: string;
  /** The value that is quantized: its own output, or that of the Relu that alone reads it. */
  readonly y: string;
  /** The node that makes `y`. */
  readonly last: Node;
  /** Name of the bias, if there is one. */
  readonly bias: string | undefined;
}

/** The nodes of the main graph that can run on integers, in their order, and of weights that cannot, why. */
export function staticCandidates(
  model: Model,
  options: Required<QuantizeOptions>,
): { candidates: Candidate[]; skips: Skip[] } {
  const candidates: Candidate[] = [];
  const skips: Skip[] = [];
  const { graph } = model;
  for (const node of graph.nodes) {
    if (!isOp(node, 'Conv') && !isOp(node, 'Gemm')) continue;
    const use = weightOf(graph, node);
    if (use === undefined || 'reason' in use) continue;
    const no = refusal(graph, use, options, model);
    if (no !== undefined) {
      if (no !== 'elsewhere') skips.push(no);
      continue;
    }
    const y = node.outputs[0] as string;
    const [only, more] = graph.uses(y);
    const relu = more === undefined && only?.graph === graph && only.node !== undefined && isOp(only.node, 'Relu');
    const last = relu ? (only.node as Node) : node;
    const bias = node.inputs[2] ?? '';
    candidates.push({
      use,
      x: node.inputs[0] as string,
      y: last.outputs[0] as string,
      last,
      bias: bias === '' ? undefined : bias,
    });
  }
  return { candidates, skips };
}

/** Why not; `elsewhere` where the dynamic form or the report of the whole pass speaks of it. */
function refusal(
  graph: Graph,
  use: WeightUse,
  options: Required<QuantizeOptions>,
  model: Model,
): Skip | 'elsewhere' | undefined {
  const { node, held, index } = use;
  const { tensor } = held;
  if (tensor.dtype !== 'float32' || held.graph !== graph || index !== 1 || use.via.length > 0) return 'elsewhere';
  if (!options.opTypes.includes(node.opType) || isExcluded(use, options)) return 'elsewhere';
  if (model.trainingNames.has(tensor.name)) return 'elsewhere';
  const channels = tensor.dims[weightAxes(use, tensor.dims)?.out ?? 0];
  const bias = node.inputs[2] ?? '';
  if (bias !== '') {
    const found = graph.held(bias)?.tensor;
    const fits = found?.dtype === 'float32' && found.dims.length === 1 && found.dims[0] === channels;
    if (!fits) return isOp(node, 'Conv') ? skipUse(use, 'unsupported_op', 'its bias is no constant') : 'elsewhere';
  }
  if (isOp(node, 'Gemm')) {
    const parts = gemmParts(node);
    return parts.transA || parts.alpha !== 1 || parts.beta !== 1 || tensor.dims.length !== 2 ? 'elsewhere' : undefined;
  }
  if (isPooled(graph, node)) {
    return skipUse(use, 'unfused_island', 'it works on one pooled value a channel; integers would not pay');
  }
  return undefined;
}

/** Whether a Conv stands in the small path behind a global pooling, as in squeeze-and-excitation blocks. */
function isPooled(graph: Graph, node: Node): boolean {
  let value = node.inputs[0] ?? '';
  for (let step = 0; step < MAX_PATH; step++) {
    const producer = graph.producer(value);
    if (producer === undefined) return false;
    if (isOp(producer, 'GlobalAveragePool') || isOp(producer, 'GlobalMaxPool')) return true;
    if (!isOp(producer, 'Conv') && !isOp(producer, 'Relu')) return false;
    value = producer.inputs[0] ?? '';
  }
  return false;
}

/** Nodes between the pooling and the last Conv of such a block. */
const MAX_PATH = 3;
