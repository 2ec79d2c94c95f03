import type { SumRequest } from '../../activations/requests.ts';
import { once } from '../../kernels/once.ts';
import { gramSums, squareSums } from './accumulate.ts';
import type { TallyFor } from './tally.ts';
import { type Tools, vectorsOf } from './vectors.ts';

/** `Σ x xᵀ` of each group of channels, or `Σ x²`, over all sources. Windows of a Conv are sampled. */
export function sumTally({ what, sources, groups, columns, idle }: SumRequest, tools: Tools): TallyFor<SumRequest> {
  const values = sources.map(({ value }) => value);
  if (idle) {
    return { values, passes: 1, async add() {}, answer: async () => ({ sums: new Float64Array(), rows: 0 }) };
  }
  const size = what === 'gram' ? columns * columns : columns;
  const all = once(() => tools.zeros?.(groups * size) ?? new Float64Array(groups * size));
  const watched = sources.map((source) => {
    const into = Array.from({ length: groups }, (_, group) => {
      const own = (): Float64Array => all().subarray(group * size, (group + 1) * size);
      return what === 'gram' ? gramSums(own, columns, source.factor, tools.gram) : squareSums(own(), source.factor);
    });
    return { source, into };
  });
  return {
    values,
    passes: 1,
    async add({ value, data, dims, sample }) {
      for (const { source, into } of watched) {
        if (source.value !== value) continue;
        const share = source.kind === 'patches' ? tools.enough?.of(columns, sample) : undefined;
        for (const { group, rows, weight } of vectorsOf(data, dims, source, columns, share) ?? []) {
          const full = into[group]?.add(rows, weight);
          // There are many blocks, and awaiting undefined for each would take longer than everything else.
          if (full !== undefined) await full;
        }
      }
    },
    async answer() {
      for (const one of watched.flatMap(({ into }) => into)) await one.finish();
      const total = (of: 'rows' | 'of'): number => watched.reduce((sum, { into }) => sum + (into[0]?.[of] ?? 0), 0);
      return { sums: all(), rows: total('rows'), of: Math.round(total('of')) };
    },
  };
}
