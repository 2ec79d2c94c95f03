import { chunksOf } from '../../compute/chunks.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { type ChannelLayout, channelLayout } from '../../kernels/layout.ts';
import { PatternOf } from '../../kernels/pattern.ts';
import { type Statistics, StatisticsOf } from '../../kernels/statistics.ts';
import { weightAxes } from '../../layers/axes.ts';
import { type Reals, reader } from '../../schemes/reals.ts';
import type { HeldWeight } from './describe.ts';
import { traceForward } from './forward.ts';

/** Bins of a histogram of values. */
export const HISTOGRAM_BINS = 16;

/** Statistics of the elements of a weight. */
export interface WeightStatistics extends Statistics {
  /** Axis of the output channels, along which `channelSpread` was computed; absent if there is one channel. */
  readonly axis?: number;
  /** An N:M pattern such as `2:4`, along the input axis. */
  readonly pattern?: string;
  /** Number of nonzero elements per bin; the bins have equal width from `min` to `max`. */
  readonly histogram: readonly number[];
}

/**
 * Reads every element of a weight once, in chunks. float64 is rounded to float32; 8-bit integers are measured without
 * scale and zero point; fewer bits are decoded first.
 * @returns undefined for a type that is not decoded
 */
export async function measureWeight({ held, stands, name }: HeldWeight): Promise<WeightStatistics | undefined> {
  const { tensor } = held;
  const few = stands !== undefined && stands.scheme.bits < 8 ? stands : undefined;
  const { dims } = few ?? tensor;
  const reals = few?.reals ?? readerOf(tensor);
  if (reals === undefined) return undefined;
  const user = traceForward(held.graph, name);
  const axes = user && weightAxes(user, dims);
  const [axis, summed] = [axes?.out, axes?.in];
  const statistics = new StatisticsOf(channelLayout(dims, axis));
  const along = summed === undefined ? undefined : channelLayout(dims, summed);
  const pattern = along === undefined ? undefined : patternOf(along);
  for await (const data of reals()) {
    statistics.add(data);
    pattern?.add(data);
  }
  const found = pattern?.pattern();
  const figures = statistics.done();
  return {
    ...figures,
    ...(axis === undefined ? {} : { axis }),
    ...(found === undefined ? {} : { pattern: found }),
    histogram: statistics.histogram(HISTOGRAM_BINS, figures.min, figures.max),
  };
}

/** The elements of a tensor of floats or 8-bit integers, in large chunks. */
function readerOf(tensor: Tensor): Reals | undefined {
  const toFloats = reader(tensor);
  if (toFloats === undefined) return undefined;
  return async function* () {
    for await (const chunk of chunksOf(tensor)) yield toFloats(chunk);
  };
}

function patternOf({ channels, inner }: ChannelLayout): PatternOf {
  return new PatternOf(channels, inner);
}
