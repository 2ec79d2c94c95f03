import type { ActivationRanges } from '../../activations/ranges.ts';
import { elementCount } from '../../ir/dtype.ts';
import type { Constant } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { intsAttribute, isOp } from '../../ir/node.ts';
import { Places } from '../../ir/places.ts';
import { constant, type Tensor } from '../../ir/tensor.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { type SummedAxes, summedAxes } from '../../layers/axes.ts';
import { ownBias } from '../../layers/bias.ts';
import { constantName, dropUnused } from '../../layers/constant.ts';
import { gemmParts } from '../../layers/gemm.ts';
import type { WeightUse } from '../../layers/select.ts';
import { decode } from '../../schemes/decode.ts';
import type { Encoded } from '../../schemes/scheme.ts';

/** Operators whose bias can take up a mean error. */
export const LAYERS = ['Conv', 'ConvTranspose', 'Gemm'] as const;

/** A Conv, ConvTranspose or Gemm whose bias can take up the mean error of its quantized weight. */
interface Layer {
  /** What the whole model calls the activation it reads, see `Places`. */
  readonly key: string;
  /** There is none yet where this is undefined. */
  readonly bias: Constant | undefined;
  readonly axes: SummedAxes;
}

/**
 * Bias correction: rounding a weight shifts what its layer gives by `(W_quantized − W) · E[x]` on average;
 * the bias takes that shift back, for the numbers that were written. A layer without a bias gets one. The
 * padding of a convolution is taken for x as well. A MatMul stays as it is: its dynamic form gained nothing from it
 * where this was measured.
 *
 * `b'[c] = b[c] − Σ_i E[x_i] · Σ_k (W_quantized[c, i, k] − W[c, i, k])`, i over input channels, k over the filter.
 *
 * @see https://arxiv.org/abs/1906.04721 Nagel et al. 2019, section 4.2
 */
export class BiasCorrection {
  readonly #places: Places;
  readonly #means: ActivationRanges;
  readonly #kept: ReadonlySet<string>;
  #layers = 0;
  #corrected = 0;

  /** @param means - ranges with `channelMeans`; layers that read other values stay as they are */
  constructor(model: Model, means: ActivationRanges) {
    this.#places = new Places(model);
    this.#means = means;
    this.#kept = model.trainingNames;
  }

  /** What was done; undefined if no means are known, or no layer could have a bias corrected. */
  get note(): string | undefined {
    return this.#means.size === 0 || this.#layers === 0
      ? undefined
      : `biases corrected in ${this.#corrected} of ${this.#layers} layers`;
  }

  /**
   * Has a layer written, and puts its new bias into the graph before, if it gets one.
   * @param write - is given the name of that bias
   */
  async around(
    use: WeightUse,
    weight: Encoded,
    transposed: boolean,
    write: (bias: string | undefined) => void,
  ): Promise<void> {
    const bias = await this.biasFor(use, weight, transposed);
    if (bias === undefined) return write(undefined);
    const old = use.graph.constant(ownBias(use.node) ?? '');
    use.graph.setInitializer(bias);
    write(bias.name);
    if (old !== undefined) dropUnused(old, this.#kept);
  }

  /**
   * The bias that a node has to have with a weight as it is written, for the caller to place.
   * @param transposed - whether the two axes of the matrix are swapped in what is written
   * @returns undefined if the bias stays as it is
   */
  async biasFor(use: WeightUse, weight: Encoded, transposed = false): Promise<Tensor | undefined> {
    if (this.#means.size === 0) return undefined;
    const layer = layerOf(this.#places, use);
    if (layer === undefined) return undefined;
    this.#layers++;
    const means = this.#means.get(layer.key)?.channelMeans;
    const shift = means && (await meanShift(use, layer.axes, means, weight, transposed));
    if (shift === undefined) return undefined;
    const { bias } = layer;
    const old = bias && toFloat32(await bias.tensor.load(), 'float32');
    const values = Float32Array.from(shift, (one, channel) => (old?.[channel] ?? 0) - one);
    if (!values.every(Number.isFinite)) return undefined;
    this.#corrected++;
    const name = use.graph.uniqueName(
      `${bias === undefined ? `${constantName(use.held)}_bias` : constantName(bias)}_corrected`,
    );
    return constant(name, 'float32', bias?.tensor.dims ?? [values.length], values);
  }
}

/** Undefined where the bias is not a constant with one float32 for each channel, or the Gemm scales or transposes. */
export function layerOf(places: Places, use: WeightUse): Layer | undefined {
  const { graph, node, held, index, via } = use;
  const { dims, dtype } = held.tensor;
  if (!LAYERS.some((op) => isOp(node, op)) || index !== 1 || via.length > 0 || dtype !== 'float32') return undefined;
  if (places.hidden(graph) !== undefined) return undefined;
  const { transA, alpha, beta } = gemmParts(node);
  if (isOp(node, 'Gemm') && (transA || alpha !== 1 || beta !== 1)) return undefined;
  const axes = summedAxes(use, dims);
  // What lies along `out` is the channels of one group there.
  if (axes === undefined || (axes.out !== 0 && axes.groups > 1)) return undefined;
  const x = node.inputs[0] ?? '';
  const layer = { key: places.keyOf(graph, x) ?? x, axes };
  const name = ownBias(node);
  if (name === undefined) return { ...layer, bias: undefined };
  const bias = graph.constant(name);
  if (bias?.tensor.dtype !== 'float32') return undefined;
  const channels = dims[axes.out];
  const fits = bias.tensor.dims.at(-1) === channels && elementCount(bias.tensor.dims) === channels;
  return fits ? { ...layer, bias } : undefined;
}

/** `(W_quantized − W) · means`, a number for each output channel; undefined if means or weight do not fit. */
async function meanShift(
  { node, held: { tensor } }: WeightUse,
  axes: SummedAxes,
  means: readonly number[],
  weight: Encoded,
  transposed: boolean,
): Promise<Float64Array | undefined> {
  const [channels = 0, own = 0] = [tensor.dims[axes.out], tensor.dims[axes.in]];
  const { groups } = axes;
  if (means.length !== own * groups || channels % groups !== 0) return undefined;
  const before = toFloat32(await tensor.load(), 'float32');
  const after = await reals(weight);
  const taps = elementCount(tensor.dims.slice(2));
  /** Where the taps of two channels begin. */
  const place = (channel: number, input: number, outFirst: boolean): number =>
    taps * (outFirst ? channel * own + input : input * channels + channel);
  // Of the taps of a ConvTranspose, a place of the output sees one in so many as the strides make.
  const seen = isOp(node, 'ConvTranspose') ? elementCount(intsAttribute(node, 'strides') ?? []) : 1;
  const shift = new Float64Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const first = Math.floor(channel / (channels / groups)) * own;
    for (let input = 0; input < own; input++) {
      const [from, to] = [
        place(channel, input, axes.out === 0),
        place(channel, input, (axes.out === 0) !== transposed),
      ];
      let error = 0;
      for (let tap = 0; tap < taps; tap++) error += (after[to + tap] as number) - (before[from + tap] as number);
      shift[channel] = (shift[channel] as number) + (error * (means[first + input] as number)) / seen;
    }
  }
  return shift.every(Number.isFinite) ? shift : undefined;
}

/** All the numbers that are stored. */
async function reals(weight: Encoded): Promise<Float32Array> {
  const all = new Float32Array(elementCount(weight.data.dims));
  let at = 0;
  for await (const part of decode(weight)()) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
