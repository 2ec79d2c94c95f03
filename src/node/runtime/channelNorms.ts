import type { Model } from '../../ir/model.ts';
import { axisMagnitudes } from '../../kernels/channels.ts';
import type { DataSet } from '../data/types.ts';
import { showEach } from './channelTap.ts';

/** A value whose channels are measured, and their axis, from the end where negative. */
export interface NormRequest {
  readonly value: string;
  readonly axis: number;
}

/**
 * How strong each channel of each value is over all samples: `√(Σ x²)`. Values that are no floats, or whose number of
 * channels varies, are left out.
 * @returns by value, `[channels]`
 * @throws CompressError `data`, `runtime`
 */
export async function channelNorms(
  model: Model,
  requests: readonly NormRequest[],
  data: DataSet,
): Promise<ReadonlyMap<string, Float64Array>> {
  const axes = new Map(requests.map((one) => [one.value, one.axis]));
  const sums = new Map<string, Float64Array>();
  const uneven = new Set<string>();
  await showEach(model, [...axes.keys()], data, (value, elements, dims) => {
    const stated = axes.get(value) ?? 0;
    const axis = stated < 0 ? stated + dims.length : stated;
    const size = dims[axis] ?? 0;
    const own = sums.get(value) ?? new Float64Array(size);
    if (own.length !== size) uneven.add(value);
    sums.set(value, own);
    const inner = dims.slice(axis + 1).reduce((all, one) => all * one, 1);
    axisMagnitudes(elements, { size, inner }, 2).forEach((sum, index) => {
      own[index] = (own[index] ?? 0) + sum;
    });
  });
  return new Map([...sums].filter(([value]) => !uneven.has(value)).map(([value, own]) => [value, own.map(Math.sqrt)]));
}
