import type { Model } from '../../../ir/model.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import { Places } from '../../../ir/places.ts';
import { weightAxes } from '../../../layers/axes.ts';
import { ownBias } from '../../../layers/bias.ts';
import { constantName } from '../../../layers/constant.ts';
import { gemmParts } from '../../../layers/gemm.ts';
import { skipUse, type WeightUse, weightOf } from '../../../layers/select.ts';
import type { Skip, SkipReason } from '../../../layers/skip.ts';
import type { Ledger } from '../ledger.ts';
import { meetsLog } from '../meets.ts';
import type { ResolvedOptions } from '../options.ts';
import { refusal as leftAlone } from '../select.ts';
import { clipAfter } from './join.ts';

/** A Conv or Gemm that can run on integers, with the values whose ranges it needs, by their names in its graph. */
export interface Candidate {
  readonly use: WeightUse;
  /** The activation it reads. */
  readonly x: string;
  /** The value that is quantized: its own output, or that of a Relu or Clip that is its only reader. */
  readonly y: string;
  /** The node that makes `y`. */
  readonly last: Node;
  /** Name of the bias, if there is one. */
  readonly bias: string | undefined;
}

/** What can be quantized with its activations, and what cannot. */
export interface Found {
  readonly candidates: readonly Candidate[];
  /** How many nodes cannot be quantized, by reason, e.g. `Conv: its bias is not a constant`. */
  readonly reasons: ReadonlyMap<string, number>;
}

/**
 * The nodes that can run on integers, in graph order: those of the main graph and of branches of If, which calibration
 * observes.
 * @param ledger - receives skips for the weights of all others
 */
export function staticCandidates(
  model: Model,
  options: ResolvedOptions,
  places: Places = new Places(model),
  ledger?: Ledger,
): Found {
  const candidates: Candidate[] = [];
  const reasons = new Map<string, number>();
  for (const graph of places.graphs) {
    const hidden = places.hidden(graph);
    for (const node of graph.nodes) {
      if (!isOp(node, 'Conv') && !isOp(node, 'Gemm')) continue;
      const use = weightOf(graph, node);
      if (use === undefined || 'reason' in use) continue;
      const no = refusal(use, options, model) ?? (hidden === undefined ? undefined : unseen(use, hidden));
      if (no === undefined) {
        candidates.push(candidateOf(use));
        continue;
      }
      const reason = `${node.opType}: ${no.why}`;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      if (no.skip !== undefined) ledger?.skip(use.held, no.skip);
    }
  }
  return { candidates, reasons };
}

function candidateOf(use: WeightUse): Candidate {
  const { graph, node } = use;
  const last = clipAfter(graph, node) ?? node;
  return {
    use,
    x: node.inputs[0] as string,
    y: last.outputs[0] as string,
    last,
    bias: ownBias(node),
  };
}

/** Why a node cannot run on integers; with a skip unless its weight is reported elsewhere. */
interface No {
  readonly why: string;
  readonly skip?: Skip;
}

/** A refused Gemm still has the dynamic form, which needs no range. */
function refused(use: WeightUse, reason: SkipReason, why: string): No {
  return isOp(use.node, 'Gemm') ? { why } : { why, skip: skipUse(use, reason, why) };
}

function unseen(use: WeightUse, hidden: string): No {
  return refused(use, 'not_calibrated', `it is ${hidden}`);
}

function isTable({ held }: WeightUse): boolean {
  return held.graph.uses(constantName(held)).some(({ node }) => node !== undefined && isOp(node, 'Gather'));
}

function refusal(use: WeightUse, options: ResolvedOptions, model: Model): No | undefined {
  const { graph, node, held, index } = use;
  const { tensor } = held;
  const alone = leftAlone(model, use, { ...options, weightsOnly: true });
  if (alone !== undefined) return { why: alone.detail };
  if (tensor.dtype !== 'float32') return { why: `its weight is ${tensor.dtype}` };
  if (index !== 1 || use.via.length > 0) return { why: 'its weight is not stored as the node reads it' };
  // The lookup and the dynamic product share one copy.
  if (isOp(node, 'Gemm') && isTable(use)) return { why: 'its weight is a table too' };
  const channels = tensor.dims[weightAxes(use, tensor.dims)?.out ?? 0];
  const bias = ownBias(node);
  if (bias !== undefined) {
    const found = graph.constant(bias)?.tensor;
    const fits = found?.dtype === 'float32' && found.dims.length === 1 && found.dims[0] === channels;
    if (!fits) return refused(use, 'unsupported_op', 'its bias is not constant');
  }
  if (isOp(node, 'Gemm')) {
    const { transA, alpha, beta } = gemmParts(node);
    const plain = !transA && alpha === 1 && beta === 1 && tensor.dims.length === 2;
    if (!plain) return { why: 'it scales or transposes its input' };
  }
  return meetsLog(graph, node) ? refused(use, 'before_log', 'a Log follows its product') : undefined;
}
