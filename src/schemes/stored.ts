import { byteLengthOf, elementCount, type FloatDType } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import { constant, type Tensor } from '../ir/tensor.ts';
import { kernelsFor } from '../kernels/choose.ts';
import { decibels } from '../kernels/decibels.ts';
import { type Factored, factorScales } from '../kernels/factored.ts';
import { expectedNoise, type Fitted, fitScales } from '../kernels/fitted.ts';
import { fromFloat32, roundedToHalf } from '../kernels/rounded.ts';
import { toFloat32 } from '../kernels/views.ts';
import { encode, paramsOf } from './encode.ts';
import { SAFE_HALF } from './float16.ts';
import { type EncodedNames, namesFor } from './names.ts';
import {
  type EncodedIntegers,
  type Granularity,
  granularityName,
  type IntegerScheme,
  integerScheme,
  type SmallInteger,
  scaleDims,
  spreadOf,
} from './scheme.ts';

/** How a weight that is stored as integers and computed with as float is to be stored. */
export interface StoredForm {
  readonly dtype: SmallInteger;
  /** Which elements share a scale where nothing finer is needed. */
  readonly coarsest: Granularity;
  /** Leading axes whose places are rows, which blocks divide; undefined if nothing finer is wanted. */
  readonly rows: number | undefined;
  readonly reduceRange: boolean;
  /** Not read, for a plan: every scale is 1, and there are no blocks. */
  readonly unread: boolean;
}

/** What a stored weight keeps of its signal, at least, before it gets more scales, in dB. */
export const STORED_SQNR = 44;
/** Neighbours in a row that share a scale, the most first. */
const BLOCKS = [64, 32, 16];
/** So many scales are stored as float16: a Cast more in the file costs less then. */
const MANY_SCALES = 128;
/** What one more node and tensor take of a file: so often the name of the weight, and so many bytes. */
const [NAMES, FRAME] = [5, 256];
/** How far what is expected of ranges is from what comes out, in dB, at most. */
const DOUBT = 1;
/** Larger weights are read in pieces and get a scale a channel: their elements are not all in memory at a time. */
const MOST_ELEMENTS: number = 1 << 24;

/**
 * A weight as integers with scales as coarse as keeps {@link STORED_SQNR}: those asked for, or blocks of at most 64, 32
 * or 16 neighbours of each row. Scales are free when the model runs, because the weight is made float when it is
 * loaded.
 *
 * ```
 * w [32, 16, 3, 3]  →  integers [32, 16, 3, 3], scales [32]
 *                      integers [32, 3, 48], scales [32, 3], reshaped to [32, 16, 3, 3]
 * ```
 *
 * Many scales of blocks are stored in fewer bits than 32, whichever takes least of the file: as float16 after a Cast,
 * or as integers of 8 bits themselves, each row with a scale of its own.
 * @param of - name of the weight in the graph
 * @returns undefined if the weight holds NaN or infinity
 */
export async function encodeStored(
  tensor: Tensor,
  form: StoredForm,
  graph: Graph,
  of: string,
): Promise<EncodedIntegers | undefined> {
  const names = namesFor(graph, of);
  const scheme = integerScheme(form.dtype, form.coarsest, form.reduceRange);
  const elements = elementCount(tensor.dims);
  if (form.unread || elements > MOST_ELEMENTS) {
    const given = { tensor, transposed: false, factor: 1, unread: form.unread };
    const params = await paramsOf(given, scheme);
    return params && encode(given, scheme, params, names);
  }
  const data = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
  const kernels = await kernelsFor(elements);
  const { peak, signal } = extentOf(data);
  const halves = peak / scheme.limit >= SAFE_HALF;
  const ways = [...waysOf(tensor, form, scheme, halves, of)];
  for (const [index, way] of ways.entries()) {
    const last = index === ways.length - 1;
    const { limit, symmetric, granularity } = way.scheme;
    const { outer, length, inner } = spreadOf(granularity, way.dims);
    const layout = { outer, channels: length, inner };
    const range = kernels.rangeOf(data, layout);
    if (range === undefined) return undefined;
    const hopeless = decibels(signal, expectedNoise(range, layout, limit)) < STORED_SQNR - DOUBT;
    if (hopeless && !last) continue;
    const rounded = way.scales === 'float16' ? roundedToHalf : Math.fround;
    const own = fitScales(data, layout, range, { symmetric, limit, rounded });
    if (!last && decibels(own.signal, own.noise) < STORED_SQNR) continue;
    const fitted = way.scales === 'uint8' ? factorScales(data, layout, own, way.dims[0] ?? 1) : own;
    if (last || decibels(fitted.signal, fitted.noise) >= STORED_SQNR) return made(tensor, way, fitted, graph, names);
  }
  return undefined;
}

/** One way to share scales. */
interface Way {
  readonly scheme: IntegerScheme;
  /** Dims that the integers have. */
  readonly dims: readonly number[];
  /** What the scales are stored as; integers with a scale for each row. */
  readonly scales: 'float32' | 'float16' | 'uint8';
}

/** The largest magnitude, and the sum of squares. */
function extentOf(data: Float32Array): { readonly peak: number; readonly signal: number } {
  let peak = 0;
  let signal = 0;
  for (let at = 0; at < data.length; at++) {
    const value = data[at] as number;
    if (value > peak) peak = value;
    else if (-value > peak) peak = -value;
    signal += value * value;
  }
  return { peak, signal };
}

/**
 * The ways from the coarsest on.
 * @param halves - whether scales may be float16
 */
function* waysOf(
  { dims }: Tensor,
  { dtype, rows, reduceRange }: StoredForm,
  scheme: IntegerScheme,
  halves: boolean,
  of: string,
): Generator<Way> {
  let scales = elementCount(scaleDims(scheme.granularity, dims));
  yield { scheme, dims, scales: 'float32' };
  if (rows === undefined) return;
  const count = elementCount(dims.slice(0, rows));
  const length = elementCount(dims.slice(rows));
  for (const most of BLOCKS) {
    const size = divisor(length, most);
    const blocks = length / size;
    if (size < most / 2 || count * blocks <= scales) continue;
    scales = count * blocks;
    const granularity = { kind: 'channel', axis: 1, from: 0 } as const;
    const blocked = {
      ...integerScheme(dtype, granularity, reduceRange),
      name: `${dtype} ${granularityName({ kind: 'block', axis: 1, size })}`,
    };
    const stored = scheme.symmetric ? smallestScales(count, scales, halves, of) : 'float32';
    yield { scheme: blocked, dims: [count, blocks, size], scales: stored };
  }
}

/** The largest divisor up to `most`. */
function divisor(length: number, most: number): number {
  for (let size = Math.min(most, length); size > 1; size--) if (length % size === 0) return size;
  return 1;
}

/** As what so many scales of so many rows take least of the file, with the nodes that make them float32. */
function smallestScales(rows: number, scales: number, halves: boolean, of: string): Way['scales'] {
  const inHalf = halves && scales >= MANY_SCALES ? 'float16' : 'float32';
  const inBytes = scales + byteLengthOf('float32', rows) + NAMES * of.length + FRAME;
  return inBytes < byteLengthOf(inHalf, scales) ? 'uint8' : inHalf;
}

async function made(
  tensor: Tensor,
  way: Way,
  fitted: Fitted | Factored,
  graph: Graph,
  names: EncodedNames,
): Promise<EncodedIntegers> {
  const { scheme, dims, scales } = way;
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

/** Scales as integers, `[rows, blocks, 1]`, as a weight of a scale for each row is. */
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
