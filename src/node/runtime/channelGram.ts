import type { Model } from '../../ir/model.ts';
import { eachVector, eachWindow, MomentSums, outputDims, type WindowShape } from '../../kernels/moments.ts';
import type { DataSet } from '../data/types.ts';
import { showEach } from './channelTap.ts';

/** What one layer reads: vectors along an axis, or the windows of a Conv. */
export interface GramRequest {
  readonly value: string;
  readonly axis: number;
  /** Length of a vector: features, or channels × kernel. */
  readonly size: number;
  readonly windows?: WindowShape;
}

/** Means of vectors and of their outer products. */
export interface Gram {
  readonly count: number;
  readonly mean: Float64Array;
  /** Undefined where only means were asked for. */
  readonly gram: Float64Array | undefined;
}

/** The longest vector: its outer product takes 128 MiB. */
export const MAX_GRAM = 4096;
/** Outer products kept at once, in bytes; more of them cost more passes over the data. */
const GRAM_BYTES = 256 * 2 ** 20;
/** Multiply-adds that one sample may cost each layer. Of larger images every so many-th window is looked at. */
const SAMPLE_MACS = 2 ** 27;

/**
 * Second moments of what layers read, over all samples. Memory is bounded: layers are taken a few at a time, each batch in
 * a pass of its own.
 * @param what - `gram`, or `means` alone, of vectors of any length
 * @returns one after the other; `gram` undefined for vectors longer than {@link MAX_GRAM}, or of another length than said
 * @throws CompressError `data`, `runtime`
 */
export async function* channelGrams(
  model: Model,
  requests: readonly GramRequest[],
  data: DataSet,
  what: 'means' | 'gram' = 'gram',
): AsyncGenerator<{ readonly index: number; readonly moments: Gram | undefined }> {
  let chunk: number[] = [];
  let room = GRAM_BYTES;
  for (const [index, { size }] of requests.entries()) {
    const bytes = what === 'gram' ? size * size * 8 : size * 8;
    if (what === 'gram' && size > MAX_GRAM) yield { index, moments: undefined };
    else {
      if (bytes > room && chunk.length > 0) {
        yield* measured(model, requests, chunk, data, what);
        chunk = [];
        room = GRAM_BYTES;
      }
      chunk.push(index);
      room -= bytes;
    }
  }
  yield* measured(model, requests, chunk, data, what);
}

async function* measured(
  model: Model,
  requests: readonly GramRequest[],
  chunk: readonly number[],
  data: DataSet,
  what: 'means' | 'gram' = 'gram',
): AsyncGenerator<{ readonly index: number; readonly moments: Gram | undefined }> {
  if (chunk.length === 0) return;
  const sums = new Map(chunk.map((index) => [index, new MomentSums((requests[index] as GramRequest).size, what)]));
  const wrong = new Set<number>();
  const values = chunk.map((index) => (requests[index] as GramRequest).value);
  await showEach(model, values, data, (value, elements, dims, sample) => {
    for (const [index, own] of sums) {
      const request = requests[index] as GramRequest;
      if (request.value === value && !add(own, request, elements, dims, sample)) wrong.add(index);
    }
  });
  for (const [index, own] of sums) {
    sums.delete(index);
    yield { index, moments: wrong.has(index) || own.count === 0 ? undefined : own.moments() };
  }
}

/** Adds what one sample has; false where its vectors have another length. */
function add(
  sums: MomentSums,
  request: GramRequest,
  data: Float32Array,
  dims: readonly number[],
  sample: number,
): boolean {
  const { windows, size } = request;
  const next = (): Float32Array => sums.next();
  const axis = request.axis < 0 ? request.axis + dims.length : request.axis;
  const most = Math.max(1, Math.floor(SAMPLE_MACS / (size * size)));
  const stepOf = (count: number): { step: number; first: number } => {
    const step = Math.max(1, Math.ceil(count / most));
    return { step, first: sample % step };
  };
  if (windows === undefined) {
    if (dims[axis] !== size) return false;
    eachVector(data, dims, axis, stepOf(data.length / size), next);
    return true;
  }
  const [rows = 0, channels = 0, ...image] = dims;
  if (image.length !== windows.kernel.length || channels * product(windows.kernel) !== size) return false;
  eachWindow(data, dims, windows, stepOf(rows * product(outputDims(image, windows))), next);
  return true;
}

function product(list: readonly number[]): number {
  return list.reduce((all, one) => all * one, 1);
}
