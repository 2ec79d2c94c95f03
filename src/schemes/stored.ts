import { elementCount, type FloatDType } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import { constant, type Tensor } from '../ir/tensor.ts';
import { kernelsFor } from '../kernels/choose.ts';
import { type Factored, factorScales } from '../kernels/factored.ts';
import { type Fitted, fitScales } from '../kernels/fitted.ts';
import type { LinearParams } from '../kernels/linear.ts';
import { Losses } from '../kernels/loss.ts';
import { fromFloat32, roundedToHalf } from '../kernels/rounded.ts';
import { toFloat32 } from '../kernels/views.ts';
import { encode, paramsOf } from './encode.ts';
import { encodeHalf, roundingOf } from './float16.ts';
import { layoutOf, MOST_ELEMENTS } from './measured.ts';
import { type EncodedNames, halfName, namesFor } from './names.ts';
import { type EncodedHalves, type EncodedIntegers, integerScheme } from './scheme.ts';
import type { IntegerWay } from './ways.ts';

/**
 * A weight as integers that are converted to float when the model is loaded. Its scales are fitted to the least squared
 * error. Numerous block scales are stored in fewer than 32 bits: as float16 with a Cast, or as 8-bit integers with a
 * scale per row.
 * @param of - name of the weight in the graph
 * @param unread - do not read the weight: every scale is 1
 * @returns undefined if the weight holds NaN or infinity
 */
export async function encodeStored(
  tensor: Tensor,
  way: IntegerWay,
  graph: Graph,
  of: string,
  unread = false,
): Promise<EncodedIntegers | undefined> {
  const names = namesFor(graph, of);
  const { scheme, dims } = way;
  const elements = elementCount(tensor.dims);
  if (unread || elements > MOST_ELEMENTS) {
    const given = { tensor: { ...tensor, dims }, transposed: false, factor: 1, unread };
    const params = await paramsOf(given, scheme);
    return params && made(tensor, way, asFitted(params, way), graph, names);
  }
  const data = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
  const layout = layoutOf(way);
  const range = (await kernelsFor(elements)).rangeOf(data, layout);
  if (range === undefined) return undefined;
  const rounded = way.scales === 'float16' ? roundedToHalf : Math.fround;
  const { limit, symmetric } = scheme;
  const own = fitScales(data, layout, range, { symmetric, limit, rounded });
  const fitted = way.scales === 'uint8' ? factorScales(data, layout, own, dims[0] ?? 1) : own;
  return made(tensor, way, fitted, graph, names);
}

/** A weight as float16, and its rounding loss. @param unread - do not read the weight */
export async function encodeAsHalf(tensor: Tensor, graph: Graph, of: string, unread = false): Promise<EncodedHalves> {
  const encoded = await encodeHalf(tensor, halfName(graph, of, 'float16'));
  const losses = new Losses();
  if (!unread) losses.add(await roundingOf(tensor, 'float16'));
  return { ...encoded, data: { ...encoded.data, from: { tensor, name: of } }, losses };
}

/** Scales of a weight that is not read. */
function asFitted(params: LinearParams, { scales, dims }: IntegerWay): Fitted | Factored {
  const fitted = { params, signal: 0, noise: 0 };
  if (scales !== 'uint8') return fitted;
  const steps = new Float32Array(dims[0] ?? 1).fill(1);
  return { ...fitted, factors: new Uint8Array(params.scale.length).fill(1), steps };
}

async function made(
  tensor: Tensor,
  { scheme, dims, scales }: IntegerWay,
  fitted: Fitted | Factored,
  graph: Graph,
  names: EncodedNames,
): Promise<EncodedIntegers> {
  const given = { tensor: { ...tensor, dims }, transposed: false, factor: 1 };
  const encoded = await encode(given, scheme, fitted.params, names);
  const halved = (): Tensor =>
    constant(names.scale, 'float16', encoded.scale.dims, fromFloat32(fitted.params.scale, 'float16'));
  return {
    ...encoded,
    data: { ...encoded.data, from: { tensor, name: names.of } },
    ...(scales === 'float16' && { scale: halved() }),
    ...('factors' in fitted && { storedScale: storedScale(encoded.scale, dims, fitted, namesFor(graph, names.scale)) }),
    ...(dims !== tensor.dims && { shape: tensor.dims }),
  };
}

/** Block scales as integers `[rows, blocks, 1]`, with a scale per row like a weight. */
function storedScale(
  scale: Tensor,
  [rows = 1, blocks = 1]: readonly number[],
  { factors, steps }: Factored,
  names: EncodedNames,
): EncodedIntegers {
  const scheme = { ...integerScheme('uint8', { kind: 'channel', axis: 0 }), symmetric: true };
  const data = constant(names.data, 'uint8', [rows, blocks, 1], factors);
  return {
    scheme,
    data: { ...data, from: { tensor: scale, name: names.of } },
    scale: constant(names.scale, 'float32', [rows], steps),
  };
}
