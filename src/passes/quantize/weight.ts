import type { Stored } from '../../bytes/stored.ts';
import { elementCount, type FloatDType } from '../../ir/dtype.ts';
import { constant, derived, streamed, type Tensor } from '../../ir/tensor.ts';
import { kernelsFor, worthStreaming } from '../../kernels/choose.ts';
import { type ChannelLayout, channelLayout } from '../../kernels/layout.ts';
import { type LinearParams, linearParams } from '../../kernels/linear.ts';
import type { StreamedFormat } from '../../kernels/linearSteps.ts';
import { once } from '../../kernels/once.ts';
import type { Range } from '../../kernels/range.ts';
import { toFloat32 } from '../../kernels/views.ts';

/** How weights are turned into integers. */
export interface WeightScheme {
  readonly dtype: 'int8' | 'uint8';
  readonly perTensor: boolean;
  /** 7 bits instead of 8, so that sums of two products fit 16 bits on x64 without VNNI. */
  readonly reduceRange: boolean;
  /** Not read, for a plan: every scale is 1. */
  readonly unread?: boolean | undefined;
}

/** What a form needs of the float weight before it is quantized. */
export interface WeightShape {
  /** Swap the two axes of a matrix. */
  readonly transposed: boolean;
  /** Axis of the channels after that. */
  readonly axis: number;
  /** Factor folded into the weight: alpha of a Gemm. */
  readonly factor: number;
}

/** A weight as integers with its scale, ready to be added to a graph. Nothing is computed before it is written. */
export interface QuantizedWeight {
  readonly data: Tensor;
  readonly scale: Tensor;
  /** Always there for uint8; for int8 it would be all zeros and is left out. */
  readonly zeroPoint: Tensor | undefined;
  /** Undefined for one scale of rank 0. */
  readonly axis: number | undefined;
}

/** Largest q by type and range, as ONNX Runtime's quantizer has them. */
function limitOf(scheme: WeightScheme): number {
  if (scheme.dtype === 'int8') return scheme.reduceRange ? 64 : 127;
  return scheme.reduceRange ? 127 : 255;
}

/** The scales and zero points of a weight; undefined where it holds NaN or infinity. Reads the weight once. */
export async function paramsOf(
  tensor: Tensor,
  shape: WeightShape,
  scheme: WeightScheme,
): Promise<LinearParams | undefined> {
  // The axis before the swap: ranges do not need the weight transposed.
  const axis = scheme.perTensor ? undefined : shape.transposed ? 1 - shape.axis : shape.axis;
  const layout = channelLayout(tensor.dims, axis);
  if (scheme.unread) {
    const zeroPoint = new Int32Array(layout.channels);
    return { scale: new Float32Array(layout.channels).fill(1), zeroPoint, min: 0, max: limitOf(scheme) };
  }
  const range = await rangeOf(tensor, shape, layout);
  return range && linearParams(range, scheme.dtype === 'int8' ? 'symmetric' : 'asymmetric', limitOf(scheme));
}

const linear = once(() => import('../../compute/linear.ts'));

async function rangeOf(tensor: Tensor, shape: WeightShape, layout: ChannelLayout): Promise<Range | undefined> {
  const where = streamable(tensor, shape);
  if (where !== undefined && (await worthStreaming(elementCount(tensor.dims)))) {
    const { rangeOfStored } = await linear();
    return rangeOfStored(where.stored, { format: where.format, layout });
  }
  const data = await loaded(tensor, shape);
  return (await kernelsFor(data.length)).rangeOf(data, layout);
}

/**
 * The tensors that stand for a float weight: integers, scale and zero point. The integers are computed when the writer
 * asks for them.
 * @param names - of the three tensors, unused in the model
 */
export async function quantizedWeight(
  tensor: Tensor,
  shape: WeightShape,
  scheme: WeightScheme,
  params: LinearParams,
  names: { readonly data: string; readonly scale: string; readonly zeroPoint: string },
): Promise<QuantizedWeight> {
  const [rows = 0, columns = 0] = tensor.dims;
  const dims = shape.transposed ? [columns, rows] : tensor.dims;
  const axis = scheme.perTensor ? undefined : shape.axis;
  const layout = channelLayout(dims, axis);
  const compute = async (): Promise<Uint8Array> => {
    const given = await loaded(tensor, shape);
    const { quantizeLinear, quantizeTransposed } = await kernelsFor(given.length);
    if (shape.transposed) return quantizeTransposed(given, rows, columns, params);
    return quantizeLinear(given, layout, params);
  };
  const where = streamable(tensor, shape);
  let data: Tensor;
  if (where !== undefined && !scheme.unread && (await worthStreaming(elementCount(dims)))) {
    const { quantizedStream, transposedStream } = await linear();
    const { stored, format } = where;
    const stream = shape.transposed
      ? transposedStream(stored, format, [rows, columns], params)
      : quantizedStream(stored, { format, layout }, params);
    data = streamed(names.data, scheme.dtype, dims, stream);
  } else {
    data = derived(names.data, scheme.dtype, dims, compute);
  }
  const paramDims = axis === undefined ? [] : [params.scale.length];
  const zeroPoint = Uint8Array.from(params.zeroPoint);
  return {
    data,
    scale: constant(names.scale, 'float32', paramDims, params.scale),
    zeroPoint: scheme.dtype === 'uint8' ? constant(names.zeroPoint, 'uint8', paramDims, zeroPoint) : undefined,
    axis,
  };
}

/** Where a weight lies, and how, if it can be computed in pieces as it stands. */
export function streamable(
  tensor: Tensor,
  { factor }: WeightShape,
): { stored: Stored; format: StreamedFormat } | undefined {
  const { stored, dtype } = tensor;
  if (stored === undefined || factor !== 1) return undefined;
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16') return undefined;
  return { stored, format: dtype };
}

async function loaded(tensor: Tensor, { factor }: WeightShape): Promise<Float32Array> {
  const data = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
  return factor === 1 ? data : data.map((value) => value * factor);
}

/** Bytes of a quantized weight with what belongs to it. */
export function quantizedBytes(weight: QuantizedWeight): number {
  return weight.data.byteLength + weight.scale.byteLength + (weight.zeroPoint?.byteLength ?? 0);
}
