import type { ActivationRanges } from '../../../activations/ranges.ts';
import { elementCount } from '../../../ir/dtype.ts';
import type { Constant } from '../../../ir/graph.ts';
import type { Model } from '../../../ir/model.ts';
import { isOp } from '../../../ir/node.ts';
import { Places } from '../../../ir/places.ts';
import { constant } from '../../../ir/tensor.ts';
import { toFloat32 } from '../../../kernels/views.ts';
import { weightAxes } from '../../../layers/axes.ts';
import { biasSlot } from '../../../layers/bias.ts';
import { constantName, dropUnused } from '../../../layers/constant.ts';
import { gemmParts } from '../../../layers/gemm.ts';
import { matrixView } from '../../../layers/layer.ts';
import type { WeightUse } from '../../../layers/select.ts';
import { checkShape } from '../../../options/check.ts';
import { asItIs, encode, paramsOf } from '../../../schemes/encode.ts';
import { unpacked } from '../../../schemes/packed.ts';
import { integerScheme, PER_TENSOR } from '../../../schemes/scheme.ts';
import type { Pass } from '../../pass.ts';
import { selectWeights } from '../index.ts';
import { allOf, QUANTIZABLE_OPS, QUANTIZE_SHAPE, type QuantizeOptions, resolveOptions } from '../options.ts';

/** A Conv or Gemm whose bias can take up the mean error of its quantized weight. */
interface Layer {
  readonly use: WeightUse;
  /** What the whole model calls the activation it reads, see `Places`. */
  readonly key: string;
  /** There is none yet where this is undefined. */
  readonly bias: Constant | undefined;
  /** Axis of the weight along which its output channels are. */
  readonly axis: number;
}

/**
 * The activations whose channels' means {@link correctBias} needs, each with the axis of its channels, counted from the
 * end where it is negative.
 */
export function correctionValues(model: Model, options: QuantizeOptions = {}): Map<string, number> {
  return new Map(correctableLayers(model, options).map(({ use, key }) => [key, isOp(use.node, 'Conv') ? 1 : -1]));
}

/**
 * Bias correction: rounding a weight to integers shifts what its layer gives by `(W_quantized − W) · E[x]` on average;
 * the bias takes that shift back. Works on the float model, for every Conv and Gemm that quantization with the same
 * options will rewrite; those without a bias get one. The means of x are those that calibration found; the padding of a
 * Conv is taken for x as well. MatMul stays as it is: its dynamic form gained nothing from it where this was measured.
 *
 * `b'[c] = b[c] − Σ_i E[x_i] · Σ_k (W_quantized[c, i, k] − W[c, i, k])`, i over input channels, k over the filter.
 *
 * @param ranges - with `channelMeans` for {@link correctionValues}; layers without them stay as they are
 * @see https://arxiv.org/abs/1906.04721 Nagel et al. 2019, section 4.2
 */
export function correctBias(ranges: ActivationRanges, options: QuantizeOptions = {}): Pass {
  checkShape('correctBias', options, QUANTIZE_SHAPE);
  return {
    name: 'bias-correction',
    async run(model) {
      const layers = correctableLayers(model, options);
      let corrected = 0;
      for (const layer of layers) {
        const means = ranges.get(layer.key)?.channelMeans;
        const shift = means && (await meanShift(layer, means, options));
        if (shift === undefined || !(await applyShift(model, layer, shift))) continue;
        corrected++;
      }
      const notes = [`bias corrected in ${corrected} of ${layers.length} layers`];
      return { pass: 'bias-correction', changes: [], skips: [], notes };
    },
  };
}

/** The layers of the main graph and of branches of If that will be quantized and have, or can have, a bias. */
function correctableLayers(model: Model, options: QuantizeOptions): Layer[] {
  const settled = allOf({ ...options, weightsOnly: true, format: 'qdq' });
  const opTypes = QUANTIZABLE_OPS.filter((one) => LAYERS.includes(one) && settled.opTypes.includes(one));
  const uses = selectWeights(model, { ...settled, opTypes });
  const places = new Places(model);
  return uses.flatMap((use) => {
    const seen = places.hidden(use.graph) === undefined;
    const plain = use.index === 1 && use.via.length === 0 && use.held.tensor.dtype === 'float32';
    const layer = seen && plain ? correctableLayer(places, use) : undefined;
    return layer === undefined ? [] : [layer];
  });
}

const LAYERS: readonly string[] = ['Conv', 'Gemm'];

/** Undefined where the bias is no constant with one float32 for each channel, or the Gemm scales or transposes. */
function correctableLayer(places: Places, use: WeightUse): Layer | undefined {
  const { graph, node, held } = use;
  const { dims } = held.tensor;
  const { transA, alpha, beta } = gemmParts(node);
  const isConv = isOp(node, 'Conv');
  if (!isConv && (transA || alpha !== 1 || beta !== 1)) return undefined;
  const x = node.inputs[0] ?? '';
  const layer = { use, key: places.keyOf(graph, x) ?? x, axis: weightAxes(use, dims)?.out ?? 0 };
  const name = biasSlot(graph, node)?.name ?? '';
  if (name === '') return { ...layer, bias: undefined };
  const bias = graph.constant(name);
  if (bias?.tensor.dtype !== 'float32') return undefined;
  const channels = dims[layer.axis];
  const fits = bias.tensor.dims.at(-1) === channels && elementCount(bias.tensor.dims) === channels;
  return fits ? { ...layer, bias } : undefined;
}

/** `(W_quantized − W) · means`, a number for each output channel; undefined where means or weight do not fit. */
async function meanShift(
  { use, axis }: Layer,
  means: readonly number[],
  options: QuantizeOptions,
): Promise<Float64Array | undefined> {
  const { tensor } = use.held;
  const { dtype, perTensor, reduceRange } = resolveOptions(options);
  const scheme = integerScheme(dtype, perTensor ? PER_TENSOR : { kind: 'channel', axis }, reduceRange);
  const params = await paramsOf(asItIs(tensor), scheme);
  const channels = tensor.dims[axis] ?? 0;
  // Input channels lie along the other of the first two axes; of a grouped Conv the weight has those of one group.
  const own = tensor.dims[1 - axis] ?? 0;
  const groups = means.length / own;
  if (params === undefined || !Number.isInteger(groups) || channels % groups !== 0) return undefined;
  const names = { of: tensor.name, data: 'q', scale: 's', zeroPoint: 'z' };
  const { data } = await encode(asItIs(tensor), scheme, params, names);
  const rounded = unpacked(await data.load(), dtype);
  const axes = { out: axis, in: 1 - axis };
  const before = matrixView(toFloat32(await tensor.load(), 'float32'), tensor.dims, axes);
  const after = matrixView(rounded, tensor.dims, axes);
  const [, inputs = 0, taps = 0] = before.shape;
  const shift = new Float64Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const scale = params.scale[perTensor ? 0 : channel] as number;
    const zeroPoint = params.zeroPoint[perTensor ? 0 : channel] as number;
    const group = Math.floor(channel / (channels / groups));
    for (let input = 0; input < inputs; input++) {
      let error = 0;
      for (let tap = 0; tap < taps; tap++) {
        error += (after.get(channel, input, tap) - zeroPoint) * scale - before.get(channel, input, tap);
      }
      shift[channel] = (shift[channel] as number) + error * (means[group * own + input] as number);
    }
  }
  return shift.every(Number.isFinite) ? shift : undefined;
}

/** Takes the shift off the bias, or makes one; false where the bias is not finite. */
async function applyShift(model: Model, { bias, use }: Layer, shift: Float64Array): Promise<boolean> {
  const { graph, node } = use;
  const old = bias && toFloat32(await bias.tensor.load(), 'float32');
  const values = Float32Array.from(shift, (one, channel) => (old?.[channel] ?? 0) - one);
  if (!values.every(Number.isFinite)) return false;
  const base = bias === undefined ? `${constantName(use.held)}_bias` : constantName(bias);
  const name = graph.uniqueName(`${base}_corrected`);
  graph.setInitializer(constant(name, 'float32', bias?.tensor.dims ?? [values.length], values));
  const [x = '', weight = ''] = node.inputs;
  graph.replaceNode(node, { ...node, inputs: [x, weight, name] });
  if (bias !== undefined) dropUnused(bias, model.trainingNames);
  return true;
}
