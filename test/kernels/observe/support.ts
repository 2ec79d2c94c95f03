import {
  chooseRange,
  histogramFor,
  type ObservedRange,
  type ObserverKind,
} from '../../../src/kernels/observe/choose.ts';
import { Extent } from '../../../src/kernels/observe/extent.ts';

/** The range that an observer chooses after two passes over batches. */
export function observed(
  kind: ObserverKind,
  batches: readonly (Float32Array | readonly number[])[],
  percentile?: number,
): ObservedRange | undefined {
  const data = batches.map((batch) => Float32Array.from(batch));
  const extent = new Extent();
  for (const batch of data) extent.add(batch);
  const histogram = histogramFor(kind, extent);
  for (const batch of data) histogram?.add(batch);
  return chooseRange(kind, extent, histogram, percentile);
}

/** The elements that `scripts/reference_observers.py` generates from a seed. */
export function numbers(seed: number, count: number): Float32Array {
  const out = new Float32Array(count);
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let index = 0; index < count; index++) out[index] = (next() + next() + next() - 1.5) / (next() + 0.03125);
  return out;
}
