import { chunksOf } from '../../compute/chunks.ts';
import type { Constant } from '../../ir/graph.ts';
import { type ChannelLayout, channelLayout } from '../../kernels/layout.ts';
import { PatternOf } from '../../kernels/pattern.ts';
import { type Statistics, StatisticsOf } from '../../kernels/statistics.ts';
import { weightAxes } from '../../layers/axes.ts';
import { reader } from '../../schemes/reals.ts';
import { traceForward } from './forward.ts';

/** Bins of a histogram of values. */
export const HISTOGRAM_BINS = 16;

/** What the elements of a weight are like. */
export interface WeightStatistics extends Statistics {
  /** Axis of the output channels, along which `channelSpread` was taken; absent for one channel. */
  readonly axis?: number;
  /** `2:4` and the like, along the axis that is summed over. */
  readonly pattern?: string;
  /** Counts of the elements that are not zero, in bins of equal width from `min` to `max`. */
  readonly histogram: readonly number[];
}

/**
 * Looks at every element of a weight once, a chunk at a time. float64 is rounded to float32; 8-bit integers are taken
 * as they are, without scale and zero point.
 * @returns undefined for a type that is neither float nor an 8-bit integer
 */
export async function measureWeight(held: Constant, name: string): Promise<WeightStatistics | undefined> {
  const { tensor } = held;
  const toFloats = reader(tensor);
  if (toFloats === undefined) return undefined;
  const user = traceForward(held.graph, name);
  const axes = user && weightAxes(user, tensor.dims);
  const [axis, summed] = [axes?.out, axes?.in];
  const statistics = new StatisticsOf(channelLayout(tensor.dims, axis));
  const along = summed === undefined ? undefined : channelLayout(tensor.dims, summed);
  const pattern = along === undefined ? undefined : patternOf(along);
  for await (const chunk of chunksOf(tensor)) {
    const data = toFloats(chunk);
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

function patternOf({ channels, inner }: ChannelLayout): PatternOf {
  return new PatternOf(channels, inner);
}
