import { elementCount, type FloatDType, isFloat } from '../../../ir/dtype.ts';
import type { Graph } from '../../../ir/graph.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import { toFloat32 } from '../../../kernels/views.ts';
import { weightOf } from '../../../layers/select.ts';
import { channelsAfter, eachPair, geometryOf, MAX_PATH } from '../geometry.ts';

/** The gain with which layers read each channel of a value. */
export class Gains {
  readonly #graph: Graph;
  /** Σ w² for each input channel, by the node that reads it. */
  readonly #byNode = new Map<Node, Promise<Float64Array | undefined>>();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /**
   * Σ w² over the weights that meet each channel, for every Conv and Gemm that reads the value, directly or through
   * operators that keep its channels apart. Other readers are ignored.
   * @param channels - how many the value has
   */
  async of(value: string, channels: number): Promise<Float64Array[]> {
    const found: Float64Array[] = [];
    const open = [{ name: value, steps: 0 }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const { graph, node, index } of this.#graph.uses(next.name)) {
        if (graph !== this.#graph || node === undefined || index !== 0) continue;
        const gains = await this.#gainsOf(node);
        // After a Flatten, each channel is several neighbouring features.
        const spread = (gains?.length ?? 0) / channels;
        if (gains !== undefined && spread >= 1 && Number.isInteger(spread)) found.push(joined(gains, spread));
        else if (channelsAfter(node) !== undefined && next.steps < MAX_PATH)
          open.push({ name: node.outputs[0] ?? '', steps: next.steps + 1 });
      }
    }
    return found;
  }

  #gainsOf(node: Node): Promise<Float64Array | undefined> {
    const known = this.#byNode.get(node) ?? measured(this.#graph, node);
    this.#byNode.set(node, known);
    return known;
  }
}

async function measured(graph: Graph, node: Node): Promise<Float64Array | undefined> {
  if (!isOp(node, 'Conv') && !isOp(node, 'Gemm')) return undefined;
  const use = weightOf(graph, node);
  if (use === undefined || 'reason' in use || use.index !== 1 || use.via.length > 0) return undefined;
  const { tensor } = use.held;
  const geometry = geometryOf(node, tensor.dims);
  if (geometry === undefined || !isFloat(tensor.dtype)) return undefined;
  const data = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
  const filter = elementCount(tensor.dims.slice(2));
  const gains = new Float64Array(geometry.inputs);
  eachPair(geometry, (at, _, input) => {
    let sum = 0;
    for (let index = at * filter; index < (at + 1) * filter; index++) sum += (data[index] as number) ** 2;
    gains[input] = (gains[input] as number) + sum;
  });
  return gains;
}

/** Sums of `spread` neighbours. */
function joined(gains: Float64Array, spread: number): Float64Array {
  if (spread === 1) return gains;
  const sums = new Float64Array(gains.length / spread);
  for (const [at, gain] of gains.entries()) {
    const channel = Math.floor(at / spread);
    sums[channel] = (sums[channel] as number) + gain;
  }
  return sums;
}
