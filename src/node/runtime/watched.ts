import type { PatchGeometry } from '../../kernels/importance/patches.ts';
import type { FeedTensor } from '../data/types.ts';
import { gramSums, type Sums, squareSums } from './accumulate.ts';
import { floatsOf } from './calibrate.ts';
import type { Session } from './session.ts';
import { type Enough, vectorsOf } from './vectors.ts';

/** Vectors of a value whose products are summed; see `Source` of the passes that want them. */
export type VectorSource =
  | { readonly kind: 'matrix'; readonly value: string; readonly axis: -1 | -2; readonly factor: number }
  | { readonly kind: 'patches'; readonly value: string; readonly geometry: PatchGeometry; readonly factor: number };

/** What to sum: `Σ x xᵀ` of each group, or `Σ x²`, over all sources. */
export interface SumRequest {
  readonly what: 'gram' | 'squares';
  readonly sources: readonly VectorSource[];
  readonly groups: number;
  readonly columns: number;
}

/** One source while it is summed. */
export interface Watched {
  readonly source: VectorSource;
  readonly columns: number;
  /** For each group. */
  readonly sums: readonly Sums[];
}

/** Sums of zero, and the sources to add to them. @param gram - see `openGram`; needed for outer products */
export function watch(wanted: SumRequest, gram: Session | undefined): { sums: Float64Array; watched: Watched[] } {
  const { what, sources, groups, columns } = wanted;
  const size = what === 'gram' ? columns * columns : columns;
  const sums = new Float64Array(groups * size);
  const watched = sources.map((source): Watched => {
    const each = Array.from({ length: groups }, (_, group) => {
      const into = sums.subarray(group * size, (group + 1) * size);
      return what === 'gram' && gram !== undefined
        ? gramSums(into, columns, source.factor, gram)
        : squareSums(into, source.factor);
    });
    return { source, columns, sums: each };
  });
  return { sums, watched };
}

/**
 * Adds the vectors of one value of one sample, of a Conv's windows as many as are enough. A value of other elements than
 * floats, or of other dims, has none.
 * @param sample - which one it is
 */
export async function look(
  { source, columns, sums }: Watched,
  tensor: FeedTensor | undefined,
  enough: Enough | undefined,
  sample: number,
): Promise<void> {
  const data = floatsOf(tensor);
  if (tensor === undefined || data.length === 0) return;
  const share = source.kind === 'patches' ? enough?.of(columns, sample) : undefined;
  for (const { group, rows, weight } of vectorsOf(data, tensor.dims, source, columns, share) ?? []) {
    const full = sums[group]?.add(rows, weight);
    // There are many blocks: waiting for nothing would take longer than the rest.
    if (full !== undefined) await full;
  }
}
