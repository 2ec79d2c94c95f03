import type { Stored, Streamed } from '../bytes/stored.ts';
import type { LinearParams } from '../kernels/linear.ts';
import { bytesOf, type Floats, type StreamedFormat } from '../kernels/linearSteps.ts';
import type { Losses } from '../kernels/loss.ts';
import type { Range } from '../kernels/range.ts';
import { cut, type Slice, spans } from '../kernels/slices.ts';
import { type Part, partsFor, threadsFor } from './executor.ts';
import { runParts } from './here.ts';
import { streamOf } from './stream.ts';

/** As `rangeOf` of kernels/range.ts, over a stored tensor. */
export async function rangeOfStored(stored: Stored, { format, layout }: Floats): Promise<Range | undefined> {
  const slices = cut(layout, partsFor(stored));
  const parts = slices.map(
    (slice): Part<'range'> => ({
      job: { kind: 'range', floats: { format, layout: slice.layout } },
      start: slice.start * bytesOf(format),
      at: 0,
    }),
  );
  const ranges = await runParts<'range'>(stored, parts);
  const whole = { min: new Float32Array(layout.channels), max: new Float32Array(layout.channels) };
  for (const [index, range] of ranges.entries()) {
    if (range === undefined) return undefined;
    const { channel } = slices[index] as Slice;
    range.min.forEach((value, at) => {
      if (value < (whole.min[channel + at] as number)) whole.min[channel + at] = value;
    });
    range.max.forEach((value, at) => {
      if (value > (whole.max[channel + at] as number)) whole.max[channel + at] = value;
    });
  }
  return whole;
}

/**
 * As `quantizeLinear` of kernels/linear.ts. `params` are read when the bytes are requested.
 * @param losses - receives the rounding errors while the bytes are computed
 */
export function quantizedStream(
  stored: Stored,
  { format, layout }: Floats,
  params: LinearParams,
  losses?: Losses,
): Streamed {
  const parts = (count: number): Part<'quantize'>[] =>
    cut(layout, count).map((slice) => ({
      job: { kind: 'quantize', floats: { format, layout: slice.layout }, params: within(params, slice) },
      start: slice.start * bytesOf(format),
      at: slice.start,
    }));
  return streamOf(stored, layout.outer * layout.channels * layout.inner, parts, (loss) => losses?.add(loss));
}

/**
 * A matrix `[rows, columns]` quantized and transposed.
 * @param params - one scale for each row, or one for all
 */
export function transposedStream(
  stored: Stored,
  format: StreamedFormat,
  [rows, columns]: readonly [number, number],
  params: LinearParams,
  losses?: Losses,
): Streamed {
  // A narrow band of columns would use little of what is read.
  const parts = (count: number): Part<'transpose'>[] =>
    spans(columns, Math.min(count, threadsFor(stored))).map((wanted) => ({
      job: { kind: 'transpose', matrix: { format, rows, columns, wanted }, params },
      start: 0,
      at: wanted.start * rows,
    }));
  return streamOf(stored, rows * columns, parts, (loss) => losses?.add(loss));
}

/** The scales and zero points of a slice's channels. */
function within(params: LinearParams, { channel, layout }: Slice): LinearParams {
  if (params.scale.length <= 1 || params.scale.length === layout.channels) return params;
  const end = channel + layout.channels;
  return { ...params, scale: params.scale.slice(channel, end), zeroPoint: params.zeroPoint.slice(channel, end) };
}
