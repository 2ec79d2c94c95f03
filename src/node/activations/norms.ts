import type { NormsRequest } from '../../activations/requests.ts';
import { axisMagnitudes } from '../../kernels/channels.ts';
import { channelLayout } from '../../kernels/layout.ts';
import type { TallyFor } from './tally.ts';

/** `√(Σ x²)` of each channel; undefined for a value whose number of channels varies. */
export function normsTally({ value, axis }: NormsRequest): TallyFor<NormsRequest> {
  let sums: Float64Array | undefined;
  let uneven = false;
  return {
    values: [value],
    passes: 1,
    add({ data, dims }) {
      const at = axis < 0 ? axis + dims.length : axis;
      const { channels: size, inner } = channelLayout(dims, at);
      sums ??= new Float64Array(size);
      const own = sums;
      if (own.length !== size || dims[at] === undefined) uneven = true;
      if (uneven) return;
      axisMagnitudes(data, { size, inner }, 2).forEach((sum, index) => {
        own[index] = (own[index] as number) + sum;
      });
    },
    answer: () => (uneven ? undefined : sums?.map(Math.sqrt)),
  };
}
