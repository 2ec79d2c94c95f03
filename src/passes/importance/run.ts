import { batches, sumBytes } from '../../activations/batches.ts';
import { type LayerGroup, summedGroups } from '../../activations/grouped.ts';
import type { Activations, SumRequest, Sums } from '../../activations/requests.ts';
import { type Result, ResultLine, strangeResult } from '../../activations/results.ts';
import { isFloat } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { allFinite, type Floats, toFloats } from '../../kernels/narrow.ts';
import { once } from '../../kernels/once.ts';
import { constantName } from '../../layers/constant.ts';
import { skipUse, type WeightUse } from '../../layers/select.ts';
import type { Change, Skip } from '../../layers/skip.ts';
import { bringWeights } from '../constants/see.ts';
import { fewVectors, type Met, someVectors } from '../few.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { PassReport } from '../pass.ts';
import { NOTHING } from '../prune/measure.ts';
import { applyPruning, selectTargets } from '../prune/targets.ts';
import { type Layer, observedLayers } from './layers.ts';
import type { WandaOptions } from './options.ts';

/** How a method prunes layers with the same input activations. */
export interface Method {
  readonly what: SumRequest['what'];
  /** Prepares what the layers share, or returns a sentence why that is impossible. May overwrite the sums. */
  prepare(moments: Sums, wanted: SumRequest): Promise<Prune | string> | Prune | string;
  /** The tensor that replaces a pruned weight, from the result of {@link Prune}. */
  replacement(tensor: Tensor, kept: () => Promise<Uint8Array>): Tensor;
  /** Bytes of the result of {@link Prune}. */
  keptBytes(tensor: Tensor): number;
}

/**
 * Prunes one weight with the elements `weight`, which must not be modified: they may belong to the model. `zeros` of
 * them are zero.
 * @returns how many nonzero elements become zero, and the bytes from which the replacement is made
 */
export type Prune = (
  layer: Layer,
  weight: Floats,
  zeros: number,
) => Promise<{ readonly lost: number; readonly kept: Uint8Array }>;

/** Layers with the same input activations. */
interface Group extends LayerGroup {
  readonly layers: readonly Layer[];
}

/** The outcome of a layer; applied later if all layers are measured on the unpruned model. */
type Outcome = Skip | (() => Change);

/** Runs a method over all layers of a model. */
export async function runMethod(
  model: Model,
  activations: Activations,
  method: Method,
  options: WandaOptions & Required<Pick<WandaOptions, 'opTypes' | 'parallel' | 'gramBytes' | 'results'>>,
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
      const fact = `the sums for its ${inputs} inputs need ${bytes} bytes; the limit is ${options.gramBytes}`;
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
  const line = new ResultLine(options.results);
  for await (const { group, sums } of summedGroups(model, parts, activations, options.results.earlier)) {
    const prepared = once(async () => sums && (reasonOf(sums, group.wanted) ?? method.prepare(sums, group.wanted)));
    for (const layer of group.layers) {
      const result = await line.next(async () => pruned(layer, sums as Sums, (await prepared()) as Prune | string));
      const { vectors, outcome } = outcomeOf(result, layer, method);
      if (vectors.rows > 0) met.push(seenBy(layer, group.wanted, vectors));
      if (typeof outcome !== 'function') skips.push(outcome);
      else if (options.parallel) later.push(outcome);
      else changes.push(outcome());
    }
    if (sums !== undefined) activations.reuse?.(sums.sums);
  }
  for (const outcome of later) changes.push(outcome());
  const few = fewVectors(met, options.parallel ? MORE_ROWS : `${MORE_ROWS} \`parallel\` ${PARALLEL}`);
  for (const note of [few, someVectors(met)]) if (note !== undefined) notes.push(note);
  return { pass: 'prune', changes, skips, ...unpacked, notes };
}

const MORE_ROWS = 'More rows would help; `l1`, which needs no data, may be more accurate.';
const PARALLEL = 'keeps errors of one layer out of the next.';

/** The data vectors that a layer saw. */
function seenBy({ target }: Layer, { columns }: SumRequest, { rows, of = rows }: Vectors): Met {
  return { weight: constantName(target.held), inputs: columns, vectors: rows, of };
}

/** Layers grouped by source, in the order of the first layer of each group. */
function groupsOf(layers: readonly Layer[], what: SumRequest['what']): Group[] {
  const groups = new Map<string, Group & { readonly layers: Layer[] }>();
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

/** How many vectors were summed for a layer, and of how many. */
type Vectors = Pick<Sums, 'rows' | 'of'>;

/** Facts of a layer kept beside the bytes; for a skipped one, the reason. */
interface Facts {
  readonly vectors: Vectors;
  readonly zeros?: number;
  readonly lost?: number;
  readonly skip?: { readonly reason: 'not_reached' | 'no_importance' | 'non_finite'; readonly detail: string };
}

async function pruned(
  { target, ...layer }: Layer,
  { rows, of }: Vectors,
  prepared: Prune | string,
): Promise<{ readonly facts: Facts; readonly parts: readonly Uint8Array[] }> {
  const { tensor } = target.held;
  const vectors = { rows, ...(of !== undefined && { of }) };
  const left = (reason: NonNullable<Facts['skip']>['reason'], detail: string): Awaited<ReturnType<typeof pruned>> => ({
    facts: { vectors, skip: { reason, detail } },
    parts: [],
  });
  if (typeof prepared === 'string') return left(rows === 0 ? 'not_reached' : 'no_importance', prepared);
  if (!isFloat(tensor.dtype)) throw new RangeError(`${tensor.name} is ${tensor.dtype}`);
  const weight = toFloats(await tensor.load(), tensor.dtype);
  if (!allFinite(weight)) return left('non_finite', 'it contains NaN or infinity');
  const zeros = countZeros(weight);
  const { lost, kept } = await prepared({ target, ...layer }, weight, zeros);
  return { facts: { vectors, zeros, lost }, parts: lost === 0 ? [] : [kept] };
}

/** The outcome that a result describes; it may come from a file. */
function outcomeOf(
  { facts, parts }: Result,
  { target }: Layer,
  method: Method,
): { readonly vectors: Vectors; readonly outcome: Outcome } {
  const layer = constantName(target.held);
  const { vectors = { rows: -1 }, zeros = -1, lost = -1, skip } = (facts ?? {}) as Partial<Facts>;
  const whole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!whole(vectors.rows) || !whole(vectors.of ?? 0)) throw strangeResult(layer);
  if (skip !== undefined) {
    const { reason, detail } = skip;
    if (!REASONS.includes(reason) || typeof detail !== 'string') throw strangeResult(layer);
    return { vectors, outcome: skipUse(target.uses[0] as WeightUse, reason, detail) };
  }
  const { tensor } = target.held;
  const [load] = parts;
  const fits = whole(zeros) && whole(lost) && zeros + lost <= target.elements && (load === undefined) === (lost === 0);
  if (!fits) throw strangeResult(layer);
  const kept = async (): Promise<Uint8Array> => {
    const bytes = (await load?.()) ?? new Uint8Array(0);
    if (bytes.byteLength !== method.keptBytes(tensor)) throw strangeResult(layer);
    return bytes;
  };
  const pruning = load === undefined ? NOTHING : { lost, replacement: method.replacement(tensor, kept) };
  return { vectors, outcome: () => applyPruning(target, zeros, pruning) };
}

const REASONS: readonly string[] = ['not_reached', 'no_importance', 'non_finite'];

/** Why sums are unusable; undefined if they are usable. */
function reasonOf({ sums, rows }: Sums, { what, columns }: SumRequest): string | undefined {
  if (rows === 0) return 'the data never reaches it';
  const step = what === 'gram' ? columns + 1 : 1;
  const stride = what === 'gram' ? columns * columns : columns;
  for (let base = 0; base < sums.length; base += stride) {
    for (let column = 0; column < columns; column++) {
      if (!Number.isFinite(sums[base + column * step])) return 'its activations contain NaN or infinity';
    }
  }
  return undefined;
}

/** The number of zero elements. */
export function countZeros(values: Floats): number {
  let zeros = 0;
  for (let index = 0; index < values.length; index++) if (values[index] === 0) zeros++;
  return zeros;
}
