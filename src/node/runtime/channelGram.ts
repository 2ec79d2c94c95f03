import type { Model } from '../../ir/model.ts';
import type { PatchGeometry } from '../../kernels/importance/patches.ts';
import { MomentSums } from '../../kernels/moments.ts';
import type { DataSet } from '../data/types.ts';
import { NARROW, openGram } from './accumulate.ts';
import { showEach } from './channelTap.ts';
import { countSamples, Enough, type Reading, vectorsOf } from './vectors.ts';
import { WideMoments } from './wideMoments.ts';

/** Windows that a Conv of one group looks at: a number for each spatial axis; pads first all begins, then all ends. */
export type WindowShape = Pick<PatchGeometry, 'kernel' | 'strides' | 'dilations' | 'pads'>;

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
  const isWide = ({ size }: GramRequest): boolean => what === 'gram' && size > NARROW;
  const gram = requests.some(isWide) ? await openGram() : undefined;
  const open = (request: GramRequest): MomentSums | WideMoments =>
    gram !== undefined && isWide(request) ? new WideMoments(request.size, gram) : new MomentSums(request.size, what);
  try {
    let chunk: number[] = [];
    let room = GRAM_BYTES;
    for (const [index, { size }] of requests.entries()) {
      const bytes = what === 'gram' ? size * size * 8 : size * 8;
      if (what === 'gram' && size > MAX_GRAM) yield { index, moments: undefined };
      else {
        if (bytes > room && chunk.length > 0) {
          yield* measured(model, requests, chunk, data, open);
          chunk = [];
          room = GRAM_BYTES;
        }
        chunk.push(index);
        room -= bytes;
      }
    }
    yield* measured(model, requests, chunk, data, open);
  } finally {
    await gram?.release();
  }
}

async function* measured(
  model: Model,
  requests: readonly GramRequest[],
  chunk: readonly number[],
  data: DataSet,
  open: (request: GramRequest) => MomentSums | WideMoments,
): AsyncGenerator<{ readonly index: number; readonly moments: Gram | undefined }> {
  if (chunk.length === 0) return;
  const sums = new Map(chunk.map((index) => [index, open(requests[index] as GramRequest)]));
  const wrong = new Set<number>();
  const values = chunk.map((index) => (requests[index] as GramRequest).value);
  const enough = new Enough(await countSamples(data));
  await showEach(model, values, data, async (value, elements, dims, sample) => {
    for (const [index, own] of sums) {
      const request = requests[index] as GramRequest;
      if (request.value !== value) continue;
      const blocks = vectorsOf(elements, dims, readingOf(request), request.size, enough.of(request.size, sample));
      if (blocks === undefined) wrong.add(index);
      for (const { rows, weight } of blocks ?? []) await own.add(rows, weight);
    }
  });
  for (const [index, own] of sums) {
    sums.delete(index);
    yield { index, moments: wrong.has(index) || own.count === 0 ? undefined : await own.moments() };
  }
}

function readingOf({ axis, windows }: GramRequest): Reading {
  if (windows === undefined) return { kind: 'matrix', axis };
  return { kind: 'patches', geometry: { ...windows, autoPad: 'NOTSET', groups: 1, order: 'channels_first' } };
}
