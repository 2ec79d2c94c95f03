import type { Model } from '../ir/model.ts';
import type { Activations, SumRequest, Sums } from './requests.ts';

/** Layers that read the same activations. */
export interface LayerGroup {
  readonly wanted: SumRequest;
  readonly layers: readonly unknown[];
}

/** A group with its sums; undefined if its layers need none. */
export interface SummedGroup<G extends LayerGroup> {
  readonly group: G;
  readonly sums: Sums | undefined;
}

/**
 * The sums for groups of layers. Each batch is measured on the model as it is at that point.
 *
 * Batches whose layers need no sums still run if later ones need some. Every run then starts from the same state, with
 * the same values as if all sums had been requested, so the sums are equal bit for bit.
 * @param known - number of leading results that need no sums
 * @param resultsOf - number of results of a group: one per layer if omitted
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
    // Release sums once they are consumed, so that memory holds one group at a time.
    const all = [...measured].reverse();
    for (const [at, group] of part.entries()) {
      const sums = all.pop();
      yield { group, sums: open[at] ? sums : undefined };
    }
  }
}
