import type { Model } from '../ir/model.ts';
import type { Activations, SumRequest, Sums } from './requests.ts';

/** Layers that meet the same activations. */
export interface LayerGroup {
  readonly wanted: SumRequest;
  readonly layers: readonly unknown[];
}

/** A group with its sums; nothing where its layers need none. */
export interface SummedGroup<G extends LayerGroup> {
  readonly group: G;
  readonly sums: Sums | undefined;
}

/**
 * The sums of groups of layers, each batch measured on the model as it is when its turn comes.
 *
 * Batches whose layers need no sums are run as well while some that follow do: their runs then begin at the same place,
 * with the same values, as if all had been asked for, and give the same sums, bit for bit.
 * @param known - how many results there are, from the first group on, that need no sums
 * @param resultsOf - how many a group has: one for each of its layers if omitted
 */
export async function* summedGroups<G extends LayerGroup>(
  model: Model,
  parts: readonly (readonly G[])[],
  activations: Activations,
  known: number,
  resultsOf: (group: G) => number = ({ layers }) => layers.length,
): AsyncGenerator<SummedGroup<G>> {
  let left = known;
  const total = parts.flat().reduce((sum, group) => sum + resultsOf(group), 0);
  for (const [index, part] of parts.entries()) {
    const open = part.map((group) => {
      left -= resultsOf(group);
      return left < 0;
    });
    const wanted = part.map((one, at) => (open[at] ? one.wanted : { ...one.wanted, idle: true }));
    const measured = known < total ? await activations.measure(model, wanted, { index, count: parts.length }) : [];
    // What was handed out is let go of.
    const all = [...measured].reverse();
    for (const [at, group] of part.entries()) {
      const sums = all.pop();
      yield { group, sums: open[at] ? sums : undefined };
    }
  }
}
