import type { RangeRequest } from '../../activations/requests.ts';
import { channelLayout } from '../../kernels/layout.ts';
import { ChannelSums } from '../../kernels/observe/channels.ts';
import { chooseRange, histogramFor } from '../../kernels/observe/choose.ts';
import { Extent } from '../../kernels/observe/extent.ts';
import type { Histogram } from '../../kernels/observe/histogram.ts';
import type { TallyFor } from './tally.ts';

/** The extent of a value, and in a second pass the histogram that most observers need. */
export function rangeTally({ value, observer, percentile, channels: axis }: RangeRequest): TallyFor<RangeRequest> {
  const extent = new Extent();
  const channels = axis === undefined ? undefined : new ChannelSums();
  let runs = 0;
  let histogram: Histogram | undefined;
  return {
    values: [value],
    passes: observer === 'minmax' ? 1 : 2,
    add({ data, dims, pass }) {
      if (pass > 0) {
        histogram ??= histogramFor(observer, extent);
        histogram?.add(data);
        return;
      }
      extent.add(data);
      runs++;
      if (axis !== undefined) channels?.add(data, channelLayout(dims, axis + (axis < 0 ? dims.length : 0)));
    },
    answer() {
      const found = chooseRange(observer, extent, histogram, percentile);
      const range =
        found === undefined
          ? undefined
          : { ...found, elements: (extent.count + extent.nonFinite) / runs, ...channels?.channels };
      return { range, count: extent.count, nonFinite: extent.nonFinite };
    },
  };
}
