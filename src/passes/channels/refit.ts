import { batches, sumBytes } from '../../activations/batches.ts';
import { channelAxis, type Moments, type MomentsRequest, type Vectors } from '../../activations/requests.ts';
import { elementCount, isFloat } from '../../ir/dtype.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { constant, type Tensor } from '../../ir/tensor.ts';
import { type Refitted, refit } from '../../kernels/leastSquares.ts';
import { fromFloat32 } from '../../kernels/rounded.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { biasSlot } from '../../layers/bias.ts';
import { constantName } from '../../layers/constant.ts';
import { gemmParts } from '../../layers/gemm.ts';
import { matrixView } from '../../layers/layer.ts';
import { fewVectors, type Met } from '../few.ts';
import type { Analysis } from './analysis.ts';
import type { ChannelActivations } from './options.ts';
import { type Fitted, type Remaining, sliced } from './rewrite.ts';
import type { Product, Weight } from './structure.ts';

/** A layer that loses inputs and can be refitted to the remaining ones. */
interface Layer {
  readonly product: Product;
  readonly reads: Vectors;
  readonly weight: Weight;
  readonly outputs: number;
  readonly inputs: number;
  /** Elements of the kernel; 1 for a matrix. */
  readonly taps: number;
  /** Length of an input vector: `inputs · taps`. */
  readonly columns: number;
  readonly bias: BiasPlace;
}

/** Where a shift of the outputs can go: onto an existing bias, into a new one, or nowhere. */
type BiasPlace =
  | { readonly kind: 'held'; readonly weight: Weight }
  | { readonly kind: 'new'; readonly node: Node }
  | { readonly kind: 'none' };

/** A share of the mean power of the inputs, so that features that hardly vary do not get large weights. */
const RIDGE = 1e-3;

/** Bytes of sums held at once; a lower limit costs more passes over the data. */
const GRAM_BYTES = 256 * 2 ** 20;

/** The longest vector whose outer products are summed, which takes 128 MiB: a file may ask for any length. */
export const MAX_GRAM = 4096;

const RECURRENT = ['LSTM', 'GRU', 'RNN'] as const;

/**
 * With `bias`, adds the mean contribution of the removed channels to the bias of every layer that reads them: `b' = b +
 * W_R·E[x_R]`. With `weights`, refits such a layer so that from the kept channels it reproduces its old outputs in the
 * least-squares sense, by the closed form of {@link refit} with the moments of the layer's old input. Each layer is
 * fitted by itself, to the model as it was.
 *
 * @see https://arxiv.org/abs/1707.06168 He et al., Channel Pruning for Accelerating Very Deep Neural Networks, section
 *   3.1
 */
export async function refitLayers(
  analysis: Analysis,
  left: Remaining,
  source: ChannelActivations,
  what: 'bias' | 'weights',
): Promise<Fitted> {
  const found = refittableLayers(analysis, left);
  const layers = found.layers.filter(({ bias, columns }) =>
    what === 'bias' ? bias.kind !== 'none' : columns <= MAX_GRAM,
  );
  const requestOf = ({ reads, columns }: Layer): MomentsRequest => ({
    what: what === 'bias' ? 'means' : 'moments',
    source: reads,
    columns,
  });
  const replaced = new Map<string, Tensor>();
  const biases: { node: Node; bias: Tensor }[] = [];
  const met: Met[] = [];
  const parts = batches(layers, (layer) => sumBytes(requestOf(layer)), GRAM_BYTES);
  for (const [index, part] of parts.entries()) {
    const answers = await source.measure(analysis.model, part.map(requestOf), { index, count: parts.length });
    for (const [at, layer] of part.entries()) {
      const moments = answers[at];
      const made = moments && (await fitted(layer, left, moments));
      if (made === undefined) continue;
      met.push({ weight: constantName(layer.weight.held), inputs: layer.columns, vectors: moments?.count ?? 0 });
      if (what === 'weights') replaced.set(layer.weight.name, weightTensor(layer, left, made.weight));
      await placeBias(layer, left, made.shift, replaced, biases);
    }
  }
  const done = met.length;
  const unable = found.passed + found.layers.length - done;
  const layersWord = (count: number): string => `${count} ${count === 1 ? 'layer' : 'layers'}`;
  const did =
    what === 'weights' ? 'refitted to the remaining channels' : 'absorbed the mean of their lost inputs into the bias';
  const notes = done > 0 ? [`${layersWord(done)} ${did}`] : [];
  if (unable > 0) notes.push(`${layersWord(unable)} lost inputs but could not be refitted`);
  const few =
    what === 'weights' ? fewVectors(met, 'More rows would help; so may leaving out `reconstruct`.') : undefined;
  if (few !== undefined) notes.push(few);
  return { replaced, biases, notes };
}

function refittableLayers(analysis: Analysis, left: Remaining): { layers: Layer[]; passed: number } {
  const layers: Layer[] = [];
  let passed = 0;
  for (const product of analysis.products) {
    if (!left.changes(product.inputs)) continue;
    const layer = refittableLayer(analysis, product);
    if (layer === undefined) passed++;
    else layers.push(layer);
  }
  // The gates of a recurrent layer are not a linear function of what it reads.
  const recurrent = analysis.graph.nodes.filter((node) => RECURRENT.some((one) => isOp(node, one)));
  passed += recurrent.filter((node) => left.changes(analysis.value(node.inputs[1])?.axes[2])).length;
  return { layers, passed };
}

/** Undefined if the weight is read through other nodes, is shared, or is not that of a plain Conv or matrix product. */
function refittableLayer(analysis: Analysis, product: Product): Layer | undefined {
  const { node, reads, inputAxis, outputAxis } = product;
  const weight = analysis.weights.get(product.weight);
  if (weight === undefined || reads === undefined || analysis.graph.uses(weight.name).length !== 1) return undefined;
  const { dims, dtype } = weight.held.tensor;
  const matrix = (isOp(node, 'Gemm') && !gemmParts(node).transA) || isOp(node, 'MatMul');
  const conv = isOp(node, 'Conv') && reads.kind === 'patches';
  if (!isFloat(dtype) || !(conv || (matrix && dims.length === 2 && channelAxis(reads) !== -2))) return undefined;
  const [outputs, inputs] = [dims[outputAxis] as number, dims[inputAxis] as number];
  const taps = elementCount(dims) / (outputs * inputs);
  const bias = biasOf(analysis, node, outputs);
  return { product, reads, weight, outputs, inputs, taps, columns: inputs * taps, bias };
}

function biasOf(analysis: Analysis, node: Node, outputs: number): BiasPlace {
  const { graph } = analysis;
  const usable = (name: string): BiasPlace => {
    const weight = analysis.weights.get(name);
    const plain = weight !== undefined && isFloat(weight.held.tensor.dtype) && graph.uses(name).length === 1;
    return plain &&
      analysis.mayChange(weight) &&
      elementCount(weight.held.tensor.dims) === outputs &&
      weight.held.tensor.dims.at(-1) === outputs
      ? { kind: 'held', weight }
      : { kind: 'none' };
  };
  const slot = biasSlot(graph, node);
  const { alpha, beta } = gemmParts(node);
  if (slot === undefined || alpha !== 1 || beta !== 1) return { kind: 'none' };
  return slot.name === '' ? { kind: 'new', node } : usable(slot.name);
}

/** The refitted weight as `outputs × (inputs · taps)`, for the kept outputs only. */
async function fitted(layer: Layer, left: Remaining, moments: Moments): Promise<Refitted | undefined> {
  const { product, weight, taps, columns: size } = layer;
  const { tensor } = weight.held;
  if (!isFloat(tensor.dtype)) return undefined;
  const data = matrixView(toFloat32(await tensor.load(), tensor.dtype), tensor.dims, axesOf(product));
  const rows = keptOutputs(layer, left);
  const matrix = new Float32Array(rows.length * size);
  rows.forEach((output, row) => {
    for (let at = 0; at < size; at++) matrix[row * size + at] = data.get(output, Math.floor(at / taps), at % taps);
  });
  const kept = product.inputs === undefined ? [] : left.kept(product.inputs);
  const columns = kept.flatMap((input) => Array.from({ length: taps }, (_, tap) => input * taps + tap));
  return refit({ outputs: rows.length, inputs: size, weight: matrix }, columns, moments, {
    ridge: RIDGE,
    bias: layer.bias.kind !== 'none',
  });
}

function axesOf({ outputAxis, inputAxis }: Product): { readonly out: number; readonly in: number } {
  return { out: outputAxis, in: inputAxis };
}

function keptOutputs({ product, outputs }: Layer, left: Remaining): readonly number[] {
  const { outputs: axis } = product;
  return axis === undefined ? Array.from({ length: outputs }, (_, index) => index) : left.kept(axis);
}

/** The rows in the order of the weight's own dims. */
function weightTensor(layer: Layer, left: Remaining, rows: Float32Array): Tensor {
  const { name, dtype, dims, extra } = sliced(layer.weight, left);
  if (!isFloat(dtype)) throw new RangeError(`${name} is ${dtype}`);
  const data = new Float32Array(rows.length);
  const view = matrixView(data, dims, axesOf(layer.product));
  const [outputs = 0, inputs = 0, taps = 0] = view.shape;
  for (let output = 0, at = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      for (let tap = 0; tap < taps; tap++, at++) view.set(output, input, tap, rows[at] as number);
    }
  }
  return { ...constant(name, dtype, dims, fromFloat32(data, dtype)), ...(extra === undefined ? {} : { extra }) };
}

async function placeBias(
  layer: Layer,
  left: Remaining,
  shift: Float64Array,
  replaced: Map<string, Tensor>,
  biases: { node: Node; bias: Tensor }[],
): Promise<void> {
  const { bias, weight } = layer;
  if (bias.kind === 'none') return;
  const { dtype } = weight.held.tensor;
  if (bias.kind === 'new' && isFloat(dtype)) {
    const name = `${weight.name}_bias`;
    const data = fromFloat32(Float32Array.from(shift), dtype);
    biases.push({ node: bias.node, bias: constant(name, dtype, [shift.length], data) });
  }
  if (bias.kind === 'new') return;
  const own = sliced(bias.weight, left);
  if (!isFloat(own.dtype)) return;
  const data = toFloat32(await own.load(), own.dtype).map((value, index) => value + (shift[index] as number));
  replaced.set(bias.weight.name, constant(own.name, own.dtype, own.dims, fromFloat32(data, own.dtype)));
}
