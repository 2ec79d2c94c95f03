import type { ActivationRanges } from '../../activations/ranges.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { isOp } from '../../ir/node.ts';
import { derived } from '../../ir/tensor.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { dropUnused, madeFrom } from '../../layers/constant.ts';
import { checkShape } from '../../options/check.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass } from '../pass.ts';
import { eachPair } from '../quantize/geometry.ts';
import { findPairs, type Layer, type Pair } from './layers.ts';

/** Rounds over all pairs; scales of a chain settle within a few. */
const ROUNDS = 50;
/** Scales that change by less than this share have settled. */
const SETTLED = 1e-4;

export interface EqualizeOptions {
  /**
   * With `channelPeaks` for {@link equalizationValues}; where they are missing, peaks are estimated from the weights.
   */
  readonly ranges?: ActivationRanges;
}

/** The activations between the layers that {@link equalize} will change, each with its channel axis. */
export function equalizationValues(model: Model): Map<string, number> {
  return new Map(findPairs(model).map(({ first, value }) => [value, isOp(first.node, 'Conv') ? 1 : -1]));
}

/**
 * Cross-layer equalization: if one Conv or Gemm reads another through only ReLU-like operators and pooling, a channel
 * can be scaled down in the first and up by the same factor in the second. Afterwards the largest weight of each
 * channel is the same in both, so one scale for a whole tensor (or activation) fits every channel.
 *
 * `s[i] = √(r1[i] · r2[i]) / r2[i]`, `r1` the largest magnitude of output channel i of the first layer, `r2` that of
 * input channel i of the second; `W1[i] /= s[i]`, `b1[i] /= s[i]`, `W2[:, i] *= s[i]`, repeated along chains until
 * nothing changes. What the model computes does not change, apart from rounding.
 *
 * A channel is scaled up at most to the peak that the loudest channel had before. Otherwise, where weights are tiny
 * compared with their bias, a constant would grow, and with it the range of the whole activation, until the other
 * channels vanish in 8 bits. The peak of a channel comes from calibration, or is estimated as `|b| + 3·√Σw²` (inputs of
 * power 1).
 *
 * @example
 * await transform(model, fold(), equalize(), quantize({ perTensor: true }));
 * @see https://arxiv.org/abs/1906.04721 Nagel et al. 2019, section 4.1
 */
export function equalize(options: EqualizeOptions = {}): Pass {
  checkShape('equalize', options, { ranges: 'object' });
  const { ranges } = options;
  return {
    name: 'equalize',
    async run(model) {
      const { notes, ...unpacked } = await unpackFirst(model);
      const pairs = findPairs(model);
      const scaled = new Map<Layer, Scaled>();
      for (const layer of new Set(pairs.flatMap(({ first, second }) => [first, second]))) {
        scaled.set(layer, new Scaled(layer, await magnitudes(layer)));
      }
      for (const { first, value } of pairs) {
        const peaks = ranges?.get(value)?.channelPeaks;
        scaled.get(first)?.limit(peaks?.length === first.outputs ? peaks : await estimatedPeaks(first));
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

/** Moves the scales of one pair; returns the largest relative change. */
function settle({ first, second, spread }: Pair, scaled: ReadonlyMap<Layer, Scaled>): number {
  const [one, two] = [scaled.get(first) as Scaled, scaled.get(second) as Scaled];
  const r1 = one.largest('outputs');
  const r2 = two.largest('inputs');
  let change = 0;
  for (let channel = 0; channel < first.outputs; channel++) {
    let below = 0;
    for (let at = channel * spread; at < (channel + 1) * spread; at++) below = Math.max(below, r2[at] as number);
    const above = r1[channel] as number;
    const wanted = Math.sqrt(above * below) / below;
    // A channel of zeros on either side cannot be scaled.
    if (!(wanted > 0 && Number.isFinite(wanted) && Number.isFinite(1 / wanted))) continue;
    const factor = one.outputs[channel] as number;
    const next = Math.min(factor / wanted, one.most[channel] as number);
    const scale = factor / next;
    change = Math.max(change, Math.abs(scale - 1));
    one.outputs[channel] = next;
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
  /** The largest factor that an output channel may get. */
  readonly most: Float64Array;
  readonly #layer: Layer;
  /** The largest |w| of each pair of output channel and input channel of its group. */
  readonly #magnitudes: Float32Array;

  constructor(layer: Layer, values: Float32Array) {
    this.#layer = layer;
    this.#magnitudes = values;
    this.outputs = new Float64Array(layer.outputs).fill(1);
    this.inputs = new Float64Array(layer.inputs).fill(1);
    this.finite = values.every(Number.isFinite);
    this.most = new Float64Array(layer.outputs).fill(Number.POSITIVE_INFINITY);
  }

  /** Keeps every output channel within the largest of these peaks; a channel that is always 0 is not scaled up. */
  limit(peaks: ArrayLike<number>): void {
    const largest = Array.from(peaks).reduce((most, one) => Math.max(most, one), 0);
    for (let channel = 0; channel < this.most.length; channel++) {
      const peak = peaks[channel] as number;
      this.most[channel] = peak > 0 ? largest / peak : 1;
    }
  }

  /** The largest |w| of each channel, as it is now. */
  largest(of: 'outputs' | 'inputs'): Float64Array {
    const result = new Float64Array(this[of].length);
    eachPair(this.#layer, (at, output, input) => {
      const value =
        (this.#magnitudes[at] as number) * (this.outputs[output] as number) * (this.inputs[input] as number);
      const channel = of === 'outputs' ? output : input;
      if (value > (result[channel] as number)) result[channel] = value;
    });
    return result;
  }

  /** Writes the scaled weight and bias into the graph. */
  apply(graph: Graph, keep: ReadonlySet<string>): void {
    const { node, weight, bias } = this.#layer;
    const [outputs, inputs] = [this.outputs, this.inputs];
    if (outputs.every((one) => one === 1) && inputs.every((one) => one === 1)) return;
    const names = [...node.inputs];
    const put = (index: number, held: Constant, compute: (data: Float32Array) => void): void => {
      const { tensor } = held;
      const name = graph.uniqueName(`${tensor.name}_equalized`);
      const made = derived(name, 'float32', tensor.dims, async () => {
        const data = toFloat32(await tensor.load(), 'float32').slice();
        compute(data);
        return data;
      });
      graph.setInitializer(madeFrom(held, made));
      names[index] = name;
    };
    put(1, weight, (data) => {
      const filter = data.length / this.#magnitudes.length;
      eachPair(this.#layer, (at, output, input) => {
        const factor = (outputs[output] as number) * (inputs[input] as number);
        for (let index = at * filter; index < (at + 1) * filter; index++)
          data[index] = (data[index] as number) * factor;
      });
    });
    if (bias !== undefined) {
      put(2, bias, (data) => {
        for (let index = 0; index < data.length; index++)
          data[index] = (data[index] as number) * (outputs[index] as number);
      });
    }
    graph.replaceNode(node, { ...node, inputs: names });
    dropUnused(weight, keep);
    if (bias !== undefined) dropUnused(bias, keep);
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

/**
 * The estimated peak of each output channel from weights and bias: three standard deviations, for inputs of power 1.
 */
async function estimatedPeaks(layer: Layer): Promise<Float64Array> {
  const data = toFloat32(await layer.weight.tensor.load(), 'float32');
  const bias = layer.bias && toFloat32(await layer.bias.tensor.load(), 'float32');
  const squares = new Float64Array(layer.outputs);
  const filter = (data.length * layer.groups) / (layer.outputs * layer.inputs);
  eachPair(layer, (at, output) => {
    for (let index = at * filter; index < (at + 1) * filter; index++)
      squares[output] = (squares[output] as number) + (data[index] as number) ** 2;
  });
  return squares.map((sum, output) => Math.abs(bias?.[output] ?? 0) + 3 * Math.sqrt(sum));
}
