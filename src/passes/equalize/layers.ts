import type { Constant, Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { biasSlot } from '../../layers/bias.ts';
import { weightOf } from '../../layers/select.ts';
import { channelsAfter, geometryOf, MAX_PATH, type WeightGeometry } from '../quantize/geometry.ts';

/** A Conv or Gemm, with everything needed to move scales in and out. */
export interface Layer extends WeightGeometry {
  readonly node: Node;
  readonly weight: Constant;
  readonly bias: Constant | undefined;
}

/** Two layers whose scales can be moved from one into the other. */
export interface Pair {
  readonly first: Layer;
  readonly second: Layer;
  /** Output of the first layer, after its own Relu. */
  readonly value: string;
  /** Number of adjacent input features of the second layer per channel of the first: more than 1 after a Flatten. */
  readonly spread: number;
}

/** The pairs of the main graph, in the order of their first layers. */
export function findPairs(model: Model): Pair[] {
  const { graph } = model;
  const layers = new Map<Node, Layer>();
  for (const node of graph.nodes) {
    const layer = equalizableLayer(model, node);
    if (layer !== undefined) layers.set(node, layer);
  }
  const pairs: Pair[] = [];
  for (const first of layers.values()) {
    const next = nextLayer(graph, first.node, layers);
    if (next === undefined) continue;
    const { second, flat } = next;
    const spread = second.inputs / first.outputs;
    if (flat ? Number.isInteger(spread) : spread === 1)
      pairs.push({ first, second, value: madeBy(graph, first.node), spread });
  }
  return pairs;
}

/** The output of a layer, or of a Relu that is its only reader. */
function madeBy(graph: Graph, node: Node): string {
  const y = node.outputs[0] as string;
  const [only] = graph.uses(y);
  return only?.node !== undefined && isOp(only.node, 'Relu') ? (only.node.outputs[0] as string) : y;
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
    const passed = channelsAfter(node);
    if (passed === undefined || (flat && passed === 'kept')) return undefined;
    flat = passed === 'flat';
    value = node.outputs[0] as string;
  }
  return undefined;
}

function equalizableLayer(model: Model, node: Node): Layer | undefined {
  const { graph } = model;
  const use = weightOf(graph, node);
  if (use === undefined || 'reason' in use || use.index !== 1 || use.via.length > 0) return undefined;
  const { held } = use;
  const { dims, dtype, name } = held.tensor;
  const geometry = geometryOf(node, dims);
  if (geometry === undefined || dtype !== 'float32' || held.graph !== graph || held.node !== undefined)
    return undefined;
  if (model.trainingNames.has(name) || graph.uses(name).length !== 1 || graph.isOverridable(name)) return undefined;
  const bias = biasSlot(graph, node)?.name ?? '';
  const found = bias === '' ? undefined : graph.constant(bias);
  if (bias !== '') {
    const fits = found?.tensor.dtype === 'float32' && found.graph === graph && found.node === undefined;
    if (!fits || found.tensor.dims.length !== 1 || found.tensor.dims[0] !== geometry.outputs) return undefined;
    if (model.trainingNames.has(bias)) return undefined;
  }
  return { ...geometry, node, weight: held, bias: found };
}
