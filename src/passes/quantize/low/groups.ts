import { batches, sumBytes } from '../../../activations/batches.ts';
import { type LayerGroup, type SummedGroup, summedGroups } from '../../../activations/grouped.ts';
import type { Activations, SumRequest, Sums } from '../../../activations/requests.ts';
import { elementCount } from '../../../ir/dtype.ts';
import type { Model } from '../../../ir/model.ts';
import { usesByTensor, type WeightUse } from '../../../layers/select.ts';
import { type Layer, observedLayers } from '../../importance/layers.ts';

/** Bytes of sums in memory at a time, unless a single layer needs more. */
const GRAM_BYTES: number = 2 ** 25;

/** Layers with the same input activations. */
interface Group extends LayerGroup {
  readonly layers: Layer[];
}

export type MeasuredGroup = SummedGroup<Group>;

/**
 * Sums of outer products of the layers' input activations in the unchanged model, in as few passes over the data as
 * memory allows. Layers that read the same activations share their sums.
 * @param known - as `summedGroups` has it, and `resultsOf`
 */
export function measuredGroups(
  model: Model,
  uses: readonly WeightUse[],
  activations: Activations,
  known: number,
  resultsOf?: (group: Group) => number,
): AsyncGenerator<MeasuredGroup> {
  const targets = [...usesByTensor(uses).values()].map((all) => {
    const [{ held }] = all as [WeightUse];
    return { held, uses: all, elements: elementCount(held.tensor.dims) };
  });
  const groups = groupsOf(observedLayers(model, targets, undefined).layers);
  const parts = batches(groups, ({ wanted }) => sumBytes(wanted), GRAM_BYTES);
  return summedGroups(model, parts, activations, known, resultsOf);
}

function groupsOf(layers: readonly Layer[]): Group[] {
  const groups = new Map<string, Group>();
  for (const layer of layers) {
    const { sources, layout } = layer;
    // A common factor of all vectors does not affect the codes.
    const plain = sources.length === 1 ? sources.map((one) => ({ ...one, factor: 1 })) : sources;
    const key = JSON.stringify([plain, layout.columns]);
    const wanted: SumRequest = { what: 'gram', sources: plain, groups: layout.groups, columns: layout.columns };
    const group = groups.get(key) ?? { wanted, layers: [] };
    group.layers.push(layer);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** `XᵀX / n`, in place of the sums; undefined if a layer got no data, or NaN or infinity. */
export function gramOf({ sums, rows }: Sums, { groups }: SumRequest): Float64Array | undefined {
  if (rows === 0 || groups !== 1) return undefined;
  let wrong = 0;
  for (let at = 0; at < sums.length; at++) {
    const mean = (sums[at] as number) / rows;
    // NaN if `mean` is not finite.
    wrong += mean - mean;
    sums[at] = mean;
  }
  return wrong === 0 ? sums : undefined;
}
