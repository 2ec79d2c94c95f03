import type { Stored } from '../bytes/stored.ts';
import { bitsOf, elementCount, type FloatDType } from '../ir/dtype.ts';
import { constant, derived, streamed, type Tensor } from '../ir/tensor.ts';
import { quantizeBlocks, rangeOfBlocks } from '../kernels/blocks.ts';
import { kernelsFor, worthStreaming } from '../kernels/choose.ts';
import { type ChannelLayout, transpose } from '../kernels/layout.ts';
import { type LinearParams, linearParams } from '../kernels/linear.ts';
import type { StreamedFormat } from '../kernels/linearSteps.ts';
import { Losses } from '../kernels/loss.ts';
import { once } from '../kernels/once.ts';
import type { Range } from '../kernels/range.ts';
import { toFloat32 } from '../kernels/views.ts';
import type { EncodedNames } from './names.ts';
import { packed } from './packed.ts';
import {
  type EncodedIntegers,
  type Granularity,
  type IntegerScheme,
  type Spread,
  type StoredInteger,
  scaleDims,
  spreadOf,
} from './scheme.ts';

/** Floats to store, and their order. */
export interface Given {
  readonly tensor: Tensor;
  /** Whether the two axes of a matrix are swapped first. Axes of the scheme refer to the swapped matrix. */
  readonly transposed: boolean;
  /** A factor folded into the numbers: the alpha of a Gemm. */
  readonly factor: number;
  /** Set for a plan: nothing is read, and all scales are 1. */
  readonly unread?: boolean | undefined;
}

/** A tensor as it is. */
export function asItIs(tensor: Tensor): Given {
  return { tensor, transposed: false, factor: 1 };
}

/** Dims of the stored tensor. */
function dimsOf({ tensor, transposed }: Given): readonly number[] {
  const [rows = 0, columns = 0] = tensor.dims;
  return transposed ? [columns, rows] : tensor.dims;
}

/** The scales and zero points of numbers; undefined if they hold NaN or infinity. Reads them once. */
export async function paramsOf(given: Given, scheme: IntegerScheme<StoredInteger>): Promise<LinearParams | undefined> {
  if (given.unread) {
    const channels = elementCount(scaleDims(scheme.granularity, dimsOf(given)));
    const zeroPoint = new Int32Array(channels);
    return { scale: new Float32Array(channels).fill(1), zeroPoint, min: 0, max: scheme.limit };
  }
  const range = await rangeOf(given, scheme.granularity);
  return range && linearParams(range, scheme.symmetric ? 'symmetric' : 'asymmetric', scheme.limit);
}

const linear = once(() => import('../compute/linear.ts'));

async function rangeOf(given: Given, granularity: Granularity): Promise<Range | undefined> {
  const { tensor, transposed } = given;
  const { block, ...spread } = spreadOf(granularity, dimsOf(given));
  if (block !== undefined) {
    const data = await loaded(given);
    const [rows = 0, columns = 0] = tensor.dims;
    return rangeOfBlocks(transposed ? transpose(data, rows, columns) : data, { ...spread, block });
  }
  // Ranges do not need the transposed matrix: channels of one axis of `[a, b]` are channels of the other axis of `[b,
  // a]`.
  const layout = layoutOf(transposed && granularity.kind === 'channel' ? swappedLine(spread) : spread);
  const where = streamable(given);
  if (where !== undefined && (await worthStreaming(elementCount(tensor.dims)))) {
    const { rangeOfStored } = await linear();
    return rangeOfStored(where.stored, { format: where.format, layout });
  }
  const data = await loaded(given);
  return (await kernelsFor(data.length)).rangeOf(data, layout);
}

type Line = Omit<Spread, 'block'>;

function layoutOf({ outer, length, inner }: Line): ChannelLayout {
  return { outer, channels: length, inner };
}

function swappedLine({ outer, length, inner }: Line): Line {
  return { outer: inner, length, inner: outer };
}

/**
 * The tensors that encode floats: integers, scale and zero point. The integers are computed when they are written.
 * @param names - names of the tensors, not yet used in the model
 */
export async function encode(
  given: Given,
  scheme: IntegerScheme,
  params: LinearParams,
  names: EncodedNames,
): Promise<EncodedIntegers> {
  const { tensor, transposed } = given;
  const { dtype, granularity } = scheme;
  const dims = dimsOf(given);
  const [rows = 0, columns = 0] = tensor.dims;
  const { block, ...spread } = spreadOf(granularity, dims);
  const layout = layoutOf(spread);
  const losses = new Losses();
  const compute = async (): Promise<Uint8Array> => {
    const floats = await loaded(given);
    if (block !== undefined) {
      const ordered = transposed ? transpose(floats, rows, columns) : floats;
      return packed(quantizeBlocks(ordered, { ...spread, block }, params), dtype);
    }
    const { quantizeLinear, quantizeTransposed } = await kernelsFor(floats.length);
    const integers = transposed
      ? quantizeTransposed(floats, rows, columns, params, losses)
      : quantizeLinear(floats, layout, params, losses);
    return packed(integers, dtype);
  };
  const where = block === undefined && bitsOf(dtype) === 8 ? streamable(given) : undefined;
  let data: Tensor;
  if (where !== undefined && !given.unread && (await worthStreaming(elementCount(dims)))) {
    const { quantizedStream, transposedStream } = await linear();
    const { stored, format } = where;
    const stream = transposed
      ? transposedStream(stored, format, [rows, columns], params, losses)
      : quantizedStream(stored, { format, layout }, params, losses);
    data = streamed(names.data, dtype, dims, stream);
  } else {
    data = derived(names.data, dtype, dims, compute);
  }
  const paramDims = scaleDims(granularity, dims);
  const zeros = (): Tensor =>
    constant(names.zeroPoint, dtype, paramDims, packed(Uint8Array.from(params.zeroPoint), dtype));
  return {
    scheme,
    data: { ...data, from: { tensor, name: names.of } },
    scale: constant(names.scale, 'float32', paramDims, params.scale),
    zeroPoint: scheme.symmetric ? undefined : zeros(),
    losses,
  };
}

/** The stored bytes and format of numbers, if they can be encoded in chunks. */
export function streamable({ tensor, factor }: Given): { stored: Stored; format: StreamedFormat } | undefined {
  const { stored, dtype } = tensor;
  if (stored === undefined || factor !== 1) return undefined;
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16') return undefined;
  return { stored, format: dtype };
}

async function loaded({ tensor, factor }: Given): Promise<Float32Array> {
  const data = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
  return factor === 1 ? data : data.map((value) => value * factor);
}
