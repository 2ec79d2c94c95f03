import type { Graph } from '../../ir/graph.ts';
import { derived, type Tensor } from '../../ir/tensor.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { dropUnused } from '../held.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass } from '../pass.ts';
import { findPairs, type Layer, type Pair } from './layers.ts';

/** Rounds over all pairs; scales of a chain settle within a few. */
const ROUNDS = 50;
/** Scales that change by less than this share have settled. */
const SETTLED = 1e-4;

/**
 * Cross-layer equalization: where one Conv or Gemm reads another through nothing but ReLU-like operators and pooling, a
 * channel can be scaled down in the first and up by as much in the second. Afterwards the largest weight of each channel
 * is the same in both, and one scale for all of a tensor (or of an activation) fits every channel.
 *
 * `s[i] = √(r1[i] · r2[i]) / r2[i]`, `r1` the largest |w| of output channel i of the first layer, `r2` that of input
 * channel i of the second; `W1[i] /= s[i]`, `b1[i] /= s[i]`, `W2[:, i] *= s[i]`, again and again along chains until nothing
 * changes. What the model computes stays the same but for rounding.
 *
 * @see https://arxiv.org/abs/1906.04721 Nagel et al. 2019, section 4.1
 */
export function equalize(): Pass {
  return {
    name: 'equalize',
    async run(model) {
      const { notes, ...unpacked } = await unpackFirst(model);
      const pairs = findPairs(model);
      const scaled = new Map<Layer, Scaled>();
      for (const layer of new Set(pairs.flatMap(({ first, second }) => [first, second]))) {
        scaled.set(layer, new Scaled(layer, await magnitudes(layer)));
      }
      const usable = pairs.filter(({ first, second }) => scaled.get(first)?.finite && scaled.get(second)?.finite);
      for (let round = 0; round < ROUNDS; round++) {
        let change = 0;
        for (const pair of usable) change = Math.max(change, settle(pair, scaled));
        if (change < SETTLED) break;
      }
      for (const one of scaled.values()) one.apply(model.graph, model.trainingNames);
      model.freeInitializers();
      const noun = usable.length === 1 ? 'pair' : 'pairs';
      return {
        pass: 'equalize',
        changes: [],
        skips: [],
        ...unpacked,
        notes: [...notes, `${usable.length} ${noun} of layers equalized`],
      };
    },
  };
}

/** Moves the scales of one pair; the largest share by which one changed. */
function settle({ first, second, spread }: Pair, scaled: ReadonlyMap<Layer, Scaled>): number {
  const [one, two] = [scaled.get(first) as Scaled, scaled.get(second) as Scaled];
  const r1 = one.largest('outputs');
  const r2 = two.largest('inputs');
  let change = 0;
  for (let channel = 0; channel < first.outputs; channel++) {
    let below = 0;
    for (let at = channel * spread; at < (channel + 1) * spread; at++) below = Math.max(below, r2[at] as number);
    const above = r1[channel] as number;
    const scale = Math.sqrt(above * below) / below;
    // A channel of zeros on either side has nothing to share.
    if (!(scale > 0 && Number.isFinite(scale) && Number.isFinite(1 / scale))) continue;
    change = Math.max(change, Math.abs(scale - 1));
    one.outputs[channel] = (one.outputs[channel] as number) / scale;
    for (let at = channel * spread; at < (channel + 1) * spread; at++) {
      two.inputs[at] = (two.inputs[at] as number) * scale;
    }
  }
  return change;
}

/** A layer with a factor for each of its output and input channels. */
class Scaled {
  readonly outputs: Float64Array;
  readonly inputs: Float64Array;
  readonly finite: boolean;
  readonly #layer: Layer;
  /** The largest |w| of each pair of output channel and input channel of its group. */
  readonly #magnitudes: Float32Array;

  constructor(layer: Layer, values: Float32Array) {
    this.#layer = layer;
    this.#magnitudes = values;
    this.outputs = new Float64Array(layer.outputs).fill(1);
    this.inputs = new Float64Array(layer.inputs).fill(1);
    this.finite = values.every(Number.isFinite);
  }

  /** The largest |w| of each channel, as it is now. */
  largest(of: 'outputs' | 'inputs'): Float64Array {
    const result = new Float64Array(this[of].length);
    each(this.#layer, (at, output, input) => {
      const value =
        (this.#magnitudes[at] as number) * (this.outputs[output] as number) * (this.inputs[input] as number);
      const channel = of === 'outputs' ? output : input;
      if (value > (result[channel] as number)) result[channel] = value;
    });
    return result;
  }

  /** Puts weight and bias with their factors into the graph. */
  apply(graph: Graph, keep: ReadonlySet<string>): void {
    const { node, weight, bias } = this.#layer;
    const [outputs, inputs] = [this.outputs, this.inputs];
    if (outputs.every((one) => one === 1) && inputs.every((one) => one === 1)) return;
    const names = [...node.inputs];
    const put = (index: number, tensor: Tensor, compute: (data: Float32Array) => void): void => {
      const name = graph.uniqueName(`${tensor.name}_equalized`);
      const made = derived(name, 'float32', tensor.dims, async () => {
        const data = toFloat32(await tensor.load(), 'float32').slice();
        compute(data);
        return data;
      });
      graph.setInitializer(made);
      names[index] = name;
    };
    put(1, weight.tensor, (data) => {
      const filter = data.length / this.#magnitudes.length;
      each(this.#layer, (at, output, input) => {
        const factor = (outputs[output] as number) * (inputs[input] as number);
        for (let index = at * filter; index < (at + 1) * filter; index++)
          data[index] = (data[index] as number) * factor;
      });
    });
    if (bias !== undefined) {
      put(2, bias.tensor, (data) => {
        for (let index = 0; index < data.length; index++)
          data[index] = (data[index] as number) * (outputs[index] as number);
      });
    }
    graph.replaceNode(node, { ...node, inputs: names });
    dropUnused(weight, keep);
    if (bias !== undefined) dropUnused(bias, keep);
  }
}

/** Every pair of output channel and input channel that the weight has, in the order of the weight. */
function each(layer: Layer, visit: (at: number, output: number, input: number) => void): void {
  const { outputs, inputs, groups, inputsFirst } = layer;
  if (inputsFirst) {
    for (let input = 0, at = 0; input < inputs; input++) {
      for (let output = 0; output < outputs; output++, at++) visit(at, output, input);
    }
    return;
  }
  const own = inputs / groups;
  const filters = outputs / groups;
  for (let output = 0, at = 0; output < outputs; output++) {
    const start = Math.floor(output / filters) * own;
    for (let input = start; input < start + own; input++, at++) visit(at, output, input);
  }
}

async function magnitudes({ weight, outputs, inputs, groups }: Layer): Promise<Float32Array> {
  const data = toFloat32(await weight.tensor.load(), 'float32');
  const result = new Float32Array((outputs * inputs) / groups);
  const filter = data.length / result.length;
  for (let at = 0; at < result.length; at++) {
    let largest = 0;
    for (let index = at * filter; index < (at + 1) * filter; index++) {
      const value = Math.abs(data[index] as number);
      // NaN stays.
      if (!(value <= largest)) largest = value;
    }
    result[at] = largest;
  }
  return result;
}
