import type { Graph, Held } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import { gemmParts } from '../quantize/gemm.ts';
import { weightOf } from '../select.ts';

/** A Conv or Gemm with what is needed to move scales in and out of it. */
export interface Layer {
  readonly node: Node;
  readonly weight: Held;
  readonly bias: Held | undefined;
  /** Number of output channels and of input channels. */
  readonly outputs: number;
  readonly inputs: number;
  /** Of a Conv; 1 for a Gemm. */
  readonly groups: number;
  /** Whether the weight has its input channels first: a Gemm without transB. */
  readonly inputsFirst: boolean;
}

/** Two layers whose scales can be moved from one into the other. */
export interface Pair {
  readonly first: Layer;
  readonly second: Layer;
  /** Elements of one channel of the first that the second sees as neighbours: more than 1 behind a Flatten. */
  readonly spread: number;
}

/** `f(s·x) = s·f(x)` for every s > 0 and each channel alone. */
const HOMOGENEOUS = new Set([
  'Relu',
  'LeakyRelu',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Identity',
]);
/** A longer way from one layer to the next is not followed. */
const MAX_PATH = 8;

/** The pairs of the main graph, in the order of their first layers. */
export function findPairs(model: Model): Pair[] {
  const { graph } = model;
  const layers = new Map<Node, Layer>();
  for (const node of graph.nodes) {
    const layer = layerOf(model, node);
    if (layer !== undefined) layers.set(node, layer);
  }
  const pairs: Pair[] = [];
  for (const first of layers.values()) {
    const next = nextLayer(graph, first.node, layers);
    if (next === undefined) continue;
    const { second, flat } = next;
    const spread = second.inputs / first.outputs;
    if (flat ? Number.isInteger(spread) : spread === 1) pairs.push({ first, second, spread });
  }
  return pairs;
}

function nextLayer(
  graph: Graph,
  from: Node,
  layers: ReadonlyMap<Node, Layer>,
): { second: Layer; flat: boolean } | undefined {
  let value = from.outputs[0] as string;
  let flat = false;
  for (let step = 0; step < MAX_PATH; step++) {
    const [only, more] = graph.uses(value);
    if (only?.node === undefined || more !== undefined || only.graph !== graph || only.index !== 0) return undefined;
    const { node } = only;
    const second = layers.get(node);
    if (second !== undefined) return { second, flat };
    // Channels are in order behind a Flatten of all but the batch, each with its elements together.
    if (isOp(node, 'Flatten') && intAttribute(node, 'axis', 1) === 1) flat = true;
    else if (flat || !HOMOGENEOUS.has(node.opType) || !isOp(node, node.opType)) return undefined;
    if (node.outputs.slice(1).some((one) => one !== '')) return undefined;
    value = node.outputs[0] as string;
  }
  return undefined;
}

function layerOf(model: Model, node: Node): Layer | undefined {
  const { graph } = model;
  const isConv = isOp(node, 'Conv');
  if (!isConv && !isOp(node, 'Gemm')) return undefined;
  const use = weightOf(graph, node);
  if (use === undefined || 'reason' in use || use.index !== 1 || use.via.length > 0) return undefined;
  const { held } = use;
  const { dims, dtype, name } = held.tensor;
  if (dtype !== 'float32' || held.graph !== graph || held.node !== undefined || model.trainingNames.has(name))
    return undefined;
  if (graph.uses(name).length !== 1 || graph.isOverridable(name)) return undefined;
  const groups = isConv ? intAttribute(node, 'group', 1) : 1;
  const { transA, transB, alpha, beta } = gemmParts(node);
  if (!isConv && (transA || alpha !== 1 || beta !== 1 || dims.length !== 2)) return undefined;
  const inputsFirst = !isConv && !transB;
  const [rows = 0, columns = 0] = dims;
  const outputs = inputsFirst ? columns : rows;
  const inputs = (inputsFirst ? rows : columns) * groups;
  if (groups < 1 || outputs * inputs === 0 || outputs % groups !== 0) return undefined;
  const bias = node.inputs[2] ?? '';
  const found = bias === '' ? undefined : graph.held(bias);
  if (bias !== '') {
    const fits = found?.tensor.dtype === 'float32' && found.graph === graph && found.node === undefined;
    if (!fits || found.tensor.dims.length !== 1 || found.tensor.dims[0] !== outputs) return undefined;
    if (model.trainingNames.has(bias)) return undefined;
  }
  return { node, weight: held, bias: found, outputs, inputs, groups, inputsFirst };
}
