import { batches, sumBytes } from '../../activations/batches.ts';
import type { Activations, SumRequest, Sums } from '../../activations/requests.ts';
import { isFloat } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import { type Floats, toFloats } from '../../kernels/narrow.ts';
import { constantName } from '../../layers/constant.ts';
import { skipUse, type WeightUse } from '../../layers/select.ts';
import type { Change, Skip } from '../../layers/skip.ts';
import { bringWeights } from '../constants/see.ts';
import { fewVectors, type Met, someVectors } from '../few.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { PassReport } from '../pass.ts';
import type { Pruning } from '../prune/measure.ts';
import { applyPruning, selectTargets } from '../prune/targets.ts';
import { type Layer, observedLayers } from './layers.ts';
import type { WandaOptions } from './options.ts';

/** How a method prunes the layers that meet the same activations. */
export interface Method {
  readonly what: SumRequest['what'];
  /** What the layers share, or a sentence that tells why there is nothing. May use up the sums. */
  prepare(moments: Sums, wanted: SumRequest): Promise<Prune | string> | Prune | string;
}

/** Prunes one weight with the elements `weight`, which are not to be changed: they may be those of the model. */
export type Prune = (layer: Layer, weight: Floats) => Promise<Pruning>;

/** Layers that meet the same activations. */
interface Group {
  readonly wanted: SumRequest;
  readonly layers: readonly Layer[];
}

/** What became of a layer; done later where all layers are to see the model as it was. */
type Outcome = Skip | (() => Change);

/** Runs a method over all layers of a model. */
export async function runMethod(
  model: Model,
  activations: Activations,
  method: Method,
  options: WandaOptions & Required<Pick<WandaOptions, 'opTypes' | 'parallel' | 'gramBytes'>>,
): Promise<PassReport> {
  const { notes, ...unpacked } = await unpackFirst(model);
  notes.push(...(await bringWeights(model, options.opTypes, 'all')));
  const { targets, skips } = selectTargets(model, options);
  const found = observedLayers(model, targets, options.pattern);
  skips.push(...found.skips);
  const groups = groupsOf(found.layers, method.what).filter((group) => {
    const bytes = sumBytes(group.wanted);
    if (bytes <= options.gramBytes) return true;
    const inputs = group.wanted.columns;
    for (const { target } of group.layers) {
      const fact = `its ${inputs} inputs need ${bytes} bytes of sums, more than ${options.gramBytes}`;
      skips.push(skipUse(target.uses[0] as WeightUse, 'no_importance', fact));
    }
    return false;
  });
  const parts = options.parallel
    ? batches(groups, ({ wanted }) => sumBytes(wanted), options.gramBytes)
    : groups.map((one) => [one]);
  const changes: Change[] = [];
  const later: (() => Change)[] = [];
  const met: Met[] = [];
  for (const [index, part] of parts.entries()) {
    const wanted = part.map((one) => one.wanted);
    const sums = [...(await activations.measure(model, wanted, { index, count: parts.length }))];
    for (const group of part) {
      const moments = sums.shift() as Sums;
      met.push(...metBy(group, moments));
      for (const outcome of await pruneGroup(group, moments, method)) {
        if (typeof outcome !== 'function') skips.push(outcome);
        else if (options.parallel) later.push(outcome);
        else changes.push(outcome());
      }
    }
  }
  for (const outcome of later) changes.push(outcome());
  const few = fewVectors(met, options.parallel ? MORE_ROWS : `${MORE_ROWS} \`parallel\` ${PARALLEL}`);
  for (const note of [few, someVectors(met)]) if (note !== undefined) notes.push(note);
  return { pass: 'prune', changes, skips, ...unpacked, notes };
}

const MORE_ROWS = 'More rows would help; `l1`, which needs none, may keep more.';
const PARALLEL = 'keeps what is chance in one layer out of those after it.';

/** What the layers of a group met; nothing where the data does not reach them. */
function metBy({ wanted, layers }: Group, { rows, of = rows }: Sums): Met[] {
  if (rows === 0) return [];
  return layers.map(({ target }) => ({ weight: constantName(target.held), inputs: wanted.columns, vectors: rows, of }));
}

/** Layers with the same sources beside each other, in the order of the first of each. */
function groupsOf(layers: readonly Layer[], what: SumRequest['what']): Group[] {
  const groups = new Map<string, { wanted: SumRequest; layers: Layer[] }>();
  for (const layer of layers) {
    const { sources, layout } = layer;
    const key = JSON.stringify([sources, layout.columns]);
    const group = groups.get(key);
    if (group === undefined) {
      const wanted = { what, sources, groups: layout.groups, columns: layout.columns };
      groups.set(key, { wanted, layers: [layer] });
    } else {
      group.layers.push(layer);
    }
  }
  return [...groups.values()];
}

async function pruneGroup({ wanted, layers }: Group, moments: Sums, method: Method): Promise<Outcome[]> {
  const prepared = reasonOf(moments, wanted) ?? (await method.prepare(moments, wanted));
  const outcomes: Outcome[] = [];
  for (const layer of layers) outcomes.push(await pruneLayer(layer, moments, prepared));
  return outcomes;
}

async function pruneLayer(layer: Layer, { rows }: Sums, prepared: Prune | string): Promise<Outcome> {
  const { target } = layer;
  const [use] = target.uses as [WeightUse];
  const { tensor } = target.held;
  if (typeof prepared === 'string') {
    return skipUse(use, rows === 0 ? 'not_reached' : 'no_importance', prepared);
  }
  if (!isFloat(tensor.dtype)) throw new RangeError(`${tensor.name} is ${tensor.dtype}`);
  const weight = toFloats(await tensor.load(), tensor.dtype);
  if (!allFinite(weight)) return skipUse(use, 'non_finite', 'it holds NaN or infinity');
  const zeros = countZeros(weight);
  const pruning = await prepared(layer, weight);
  return () => applyPruning(target, zeros, pruning);
}

/** Why sums tell nothing. */
function reasonOf({ sums, rows }: Sums, { what, columns }: SumRequest): string | undefined {
  if (rows === 0) return 'the data gives it no activations';
  const step = what === 'gram' ? columns + 1 : 1;
  const stride = what === 'gram' ? columns * columns : columns;
  for (let base = 0; base < sums.length; base += stride) {
    for (let column = 0; column < columns; column++) {
      if (!Number.isFinite(sums[base + column * step])) return 'its activations hold NaN or infinity';
    }
  }
  return undefined;
}

/** How many elements are zero. */
export function countZeros(values: Floats): number {
  let zeros = 0;
  for (let index = 0; index < values.length; index++) if (values[index] === 0) zeros++;
  return zeros;
}

function allFinite(values: Floats): boolean {
  // By index: an iterator takes ten times as long.
  for (let index = 0; index < values.length; index++) if (!Number.isFinite(values[index])) return false;
  return true;
}
