import { byteLengthOf, type DType } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import { constantName } from '../../layers/constant.ts';
import type { Skip } from '../../layers/skip.ts';
import { bringWeights, hidingNodes } from '../constants/see.ts';
import { mayHaveComputed } from '../constants/weights.ts';
import { unpackWeights } from '../pack/unpack.ts';
import type { PassReport } from '../pass.ts';
import { PRUNABLE_OPS } from '../prune/options.ts';
import { countOf, selectTargets, type TargetWeight } from '../prune/targets.ts';
import { planQuantize, type QuantizeOptions } from '../quantize/index.ts';
import { heldWeights } from './describe.ts';

/** The fraction of weights that the recipes with pruning remove. */
export const RECIPE_AMOUNT = 0.6;

/** Ways to make a model smaller whose result is predicted. */
export type Recipe = 'int8' | 'int8 weights only' | 'int4' | 'float16' | 'pruned' | 'pruned int8';

/** The predicted size of a model. */
export interface Prediction {
  readonly recipe: Recipe;
  /** Size of the model with its data files, in bytes. */
  readonly byteLength: number;
  /** Number of weights that would change; 0 if the model would not change. */
  readonly weights: number;
}

/** A weight that pruning would set elements of to zero. */
export interface PruneTarget {
  readonly weight: string;
  readonly opType: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly elements: number;
}

/** What passes would do with a model. */
export interface Plan {
  readonly byteLength: number;
  /**
   * Report of `quantize`: dynamic, and weights only. No weight was read, so a weight with NaN, which would be skipped,
   * counts as quantized.
   */
  readonly int8: PassReport;
  readonly weightsOnly: PassReport;
  /** Report of `quantize` with 4 bits for matrix products. */
  readonly int4: PassReport;
  readonly prune: { readonly targets: readonly PruneTarget[]; readonly skips: readonly Skip[] };
  readonly predictions: readonly Prediction[];
}

/** What planning needs from the caller. Passes change the model they are given, so each gets its own. */
export interface Planner {
  /** Opens the model once more; it is closed after use. */
  open(): Promise<Model>;
  /** Size in bytes that the model would have when written, with its data files; nothing is computed. */
  byteLengthOf(model: Model): number;
}

/**
 * What the verbs would change, what they would skip and why, and how large the results would be. Runs the passes
 * themselves, but reads no weight: sizes of `int8`, `int8 weights only` and `int4` are those that `quantize` writes, or
 * slightly less if a stored weight needs more than one scale per channel. The others are sums: float16 halves every
 * float32 tensor except scales (and quarters float64). A pruned weight takes one bit per element plus the kept
 * elements, `⌈n / 8⌉ + (n − round(0.6 n)) · size`, beside all others unpacked.
 * @param model - as it is; it is not changed
 */
export async function planRecipes(model: Model, planner: Planner): Promise<Plan> {
  const byteLength = planner.byteLengthOf(model);
  const halved = heldWeights(model).filter(
    ({ dtype, role }) => (dtype === 'float32' || dtype === 'float64') && (role === 'weight' || role === 'constant'),
  );
  const int8 = await quantized(planner, {});
  const weightsOnly = await quantized(planner, { weightsOnly: true });
  const int4 = await quantized(planner, { bits: 4 });
  const { targets, skips, dense } = await prunable(model, planner, byteLength);
  const saved = halved.reduce((sum, one) => sum + one.byteLength - byteLengthOf('float16', one.elements), 0);
  return {
    byteLength,
    int8: int8.report,
    weightsOnly: weightsOnly.report,
    int4: int4.report,
    prune: { targets: targets.map(targetFacts), skips },
    predictions: [
      { recipe: 'int8', ...sizeOf(int8) },
      { recipe: 'int8 weights only', ...sizeOf(weightsOnly) },
      { recipe: 'int4', ...sizeOf(int4) },
      { recipe: 'float16', byteLength: byteLength - saved, weights: halved.length },
      { recipe: 'pruned', byteLength: dense + sum(targets, bitmaskGain), weights: targets.length },
      { recipe: 'pruned int8', ...prunedInt8(targets, int8) },
    ],
  };
}

/** The weights that `prune` would choose from, and the bytes of the model with all weights unpacked. */
function prunable(
  model: Model,
  planner: Planner,
  byteLength: number,
): Promise<ReturnType<typeof selectTargets> & { readonly dense: number }> {
  const select = (from: Model): ReturnType<typeof selectTargets> => selectTargets(from, { opTypes: PRUNABLE_OPS });
  const sparse = model.graphs().some((graph) => graph.sparseInitializers.length > 0);
  const hidden = hidingNodes(model, PRUNABLE_OPS).some(mayHaveComputed);
  if (model.functions.length === 0 && !sparse && !hidden)
    return Promise.resolve({ ...select(model), dense: byteLength });
  return using(planner, async (own) => {
    const { changes } = await unpackWeights(own);
    const dense = changes.length === 0 ? byteLength : planner.byteLengthOf(own);
    await bringWeights(own, PRUNABLE_OPS, 'handed');
    return { ...select(own), dense };
  });
}

interface Quantized {
  readonly report: PassReport;
  readonly byteLength: number;
}

function quantized(planner: Planner, options: QuantizeOptions): Promise<Quantized> {
  return using(planner, async (model) => {
    const report = await planQuantize(options).run(model);
    return { report, byteLength: planner.byteLengthOf(model) };
  });
}

async function using<T>(planner: Planner, work: (model: Model) => Promise<T>): Promise<T> {
  const model = await planner.open();
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

function sizeOf({ report, byteLength }: Quantized): { byteLength: number; weights: number } {
  return { byteLength, weights: report.changes.length };
}

/** Change in bytes of a pruned weight stored as one bit per element plus the kept elements; mostly negative. */
function bitmaskGain({ held, elements }: TargetWeight): number {
  const { dtype, byteLength } = held.tensor;
  return packed(elements, byteLengthOf(dtype, 1)) - byteLength;
}

function packed(elements: number, size: number): number {
  return Math.ceil(elements / 8) + (elements - countOf(RECIPE_AMOUNT, elements)) * size;
}

/** A weight pruned and then quantized takes one bit per element and one byte per kept element. */
function prunedInt8(
  targets: readonly TargetWeight[],
  { report, byteLength }: Quantized,
): { byteLength: number; weights: number } {
  const changed = new Set(report.changes.map((one) => one.weight));
  const both = targets.filter((one) => changed.has(constantName(one.held)));
  const floats = targets.filter((one) => !changed.has(constantName(one.held)));
  const gained = sum(both, ({ elements }) => packed(elements, 1) - elements) + sum(floats, bitmaskGain);
  return {
    byteLength: byteLength + gained,
    weights: new Set([...changed, ...targets.map((one) => constantName(one.held))]).size,
  };
}

function targetFacts({ held, uses, elements }: TargetWeight): PruneTarget {
  const { dtype, dims } = held.tensor;
  return {
    weight: constantName(held),
    opType: [...new Set(uses.map((use) => use.node.opType))].join(', '),
    dtype,
    dims,
    elements,
  };
}

function sum<T>(list: readonly T[], value: (one: T) => number): number {
  return list.reduce((total, one) => total + value(one), 0);
}
