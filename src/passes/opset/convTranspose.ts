import type { Graph } from '../../ir/graph.ts';
import { attribute, intAttribute, intsAttribute, isOp, type Node, stringAttribute } from '../../ir/node.ts';
import { type Adapter, rewritten, without } from './adapter.ts';

/** Operators whose output has the dims of their first input. */
const KEEPS_DIMS = new Set(
  (
    'Abs BatchNormalization Clip Dropout Elu HardSigmoid Identity InstanceNormalization LeakyRelu Neg PRelu Relu ' +
    'Selu Sigmoid Softplus Softsign Tanh'
  ).split(' '),
);
/** Dims are not derived through more nodes than this. */
const MAX_STEPS = 256;

type Sizes = readonly (number | undefined)[];

/** The window of a convolution or pooling, by its attributes: a number for each axis in space. */
interface Window {
  /** Extent per axis: `(kernel − 1) · dilation + 1`. */
  readonly reach: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly outputPadding: readonly number[];
  /** All begins, then all ends. */
  readonly pads: readonly number[];
  readonly auto: string;
}

/**
 * Automatic padding may be odd, and the texts of opsets 1 and 11 give the odd pixel to different sides. ONNX Runtime
 * gives it to the same side in both, so the same can be expressed with pads if sizes are known:
 * ```
 * before:  ConvTranspose <output_shape = [6], strides = [2]> (x: [1, 2, 4], w: [2, 1, 3])
 * after:   ConvTranspose <pads = [2, 1], strides = [2]> (x, w)
 * ```
 * Padding that is even on all axes means the same in both and stays. `output_shape` needs the size of the input;
 * `auto_pad` alone does not.
 */
export const convTransposeTo11: Adapter = (node, scope) => {
  const wanted = intsAttribute(node, 'output_shape');
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (wanted === undefined && !auto.startsWith('SAME')) return { nodes: [node] };
  const window = windowOf(scope.graph, node);
  const sizes = sizesOf(scope.graph, node.inputs[0] ?? '');
  const total = window?.reach.map((_, axis) => paddingOf(window, axis, wanted?.[axis], sizes?.[axis]));
  if (window === undefined || total === undefined || !total.every((one) => one !== undefined)) {
    const odd = 'opset 11 changed which side gets the odd pixel';
    return { refused: `it pads automatically (auto_pad or output_shape), sizes are unknown, and ${odd}` };
  }
  if (total.every((one) => one <= 0 || one % 2 === 0)) return { nodes: [node] };
  const added = total.map(
    (one, axis) => (window.outputPadding[axis] ?? 0) + Math.max(0, wanted === undefined ? 0 : -one),
  );
  if (added.some((one, axis) => one >= Math.max(window.strides[axis] ?? 1, window.dilations[axis] ?? 1))) {
    return { refused: 'its output_shape is larger than output_padding can express' };
  }
  const [less, more] = [Math.floor, Math.ceil].map((round) => total.map((one) => round(Math.max(0, one) / 2)));
  const pads = auto === 'SAME_UPPER' ? [...(less ?? []), ...(more ?? [])] : [...(more ?? []), ...(less ?? [])];
  const kept = without(node, 'auto_pad', 'output_shape', 'pads', 'output_padding');
  const padding = added.some((one) => one !== 0) ? [attribute.ints('output_padding', added)] : [];
  return rewritten(node, { attributes: [...kept, attribute.ints('pads', pads), ...padding] });
};

/** Total padding of an axis, both sides together, for an output of `wanted` or, without it, `size · stride`. */
function paddingOf(
  window: Window,
  axis: number,
  wanted: number | undefined,
  size: number | undefined,
): number | undefined {
  const [reach, stride, extra] = [window.reach[axis], window.strides[axis] ?? 1, window.outputPadding[axis] ?? 0];
  if (reach === undefined) return undefined;
  if (wanted === undefined) return reach + extra - stride;
  return size === undefined ? undefined : stride * (size - 1) + extra + reach - wanted;
}

/** The window of a Conv, ConvTranspose or pooling; undefined if its size is not known. */
function windowOf(graph: Graph, node: Node): Window | undefined {
  const weight = node.inputs[1] ?? '';
  const dims = graph.constant(weight)?.tensor.dims ?? graph.typeOf(weight)?.dims;
  const kernel = intsAttribute(node, 'kernel_shape') ?? dims?.slice(2);
  if (kernel === undefined || !kernel.every((one) => typeof one === 'number')) return undefined;
  const list = (name: string, fallback: number): number[] => intsAttribute(node, name) ?? kernel.map(() => fallback);
  const dilations = list('dilations', 1);
  return {
    reach: kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + 1),
    strides: list('strides', 1),
    dilations,
    outputPadding: list('output_padding', 0),
    pads: intsAttribute(node, 'pads') ?? [...kernel, ...kernel].map(() => 0),
    auto: stringAttribute(node, 'auto_pad', 'NOTSET'),
  };
}

/** The spatial sizes of a value (all dims but the first two), as stated in the file or derived from operators. */
function sizesOf(graph: Graph, value: string, steps = 0): Sizes | undefined {
  const stated = graph
    .typeOf(value)
    ?.dims?.slice(2)
    .map((one) => (typeof one === 'number' ? one : undefined));
  if (stated?.every((one) => one !== undefined) === true || steps > MAX_STEPS) return stated;
  const node = graph.producer(value);
  if (node === undefined || !isOp(node, node.opType) || node.outputs[0] !== value) return stated;
  if (KEEPS_DIMS.has(node.opType)) return sizesOf(graph, node.inputs[0] ?? '', steps + 1);
  const before = ['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool'].includes(node.opType)
    ? windowOf(graph, node)
    : undefined;
  if (before === undefined || intAttribute(node, 'ceil_mode', 0) !== 0) return stated;
  const wanted = node.opType === 'ConvTranspose' ? intsAttribute(node, 'output_shape') : undefined;
  if (wanted !== undefined) return wanted;
  const sizes = sizesOf(graph, node.inputs[0] ?? '', steps + 1);
  return sizes?.map((size, axis) => (size === undefined ? undefined : sizeAfterWindow(node, before, axis, size)));
}

/** The output length of an axis of length `size` after a window. */
function sizeAfterWindow(
  node: Node,
  { reach, strides, outputPadding, pads, auto }: Window,
  axis: number,
  size: number,
): number {
  const [stride, length] = [strides[axis] ?? 1, reach[axis] ?? 1];
  const padded = auto === 'NOTSET' ? (pads[axis] ?? 0) + (pads[axis + reach.length] ?? 0) : 0;
  if (node.opType === 'ConvTranspose') {
    const full = stride * (size - 1) + (outputPadding[axis] ?? 0) + length - padded;
    return auto.startsWith('SAME') ? Math.min(full, size * stride) : full;
  }
  return auto.startsWith('SAME') ? Math.ceil(size / stride) : Math.floor((size + padded - length) / stride) + 1;
}
