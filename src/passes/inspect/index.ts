import type { Model } from '../../ir/model.ts';
import { checkShape } from '../../options/check.ts';
import { unpackedTensors } from '../../schemes/unpacked.ts';
import { unpackedView } from '../pack/view.ts';
import { describeModel, heldWeights, type Structure, type WeightFacts } from './describe.ts';
import { measureWeight, type WeightStatistics } from './measure.ts';
import { type Plan, type Planner, planRecipes } from './recipes.ts';

export type { DTypeFacts, FunctionFacts, OperatorFacts, Structure, WeightFacts } from './describe.ts';
export { HISTOGRAM_BINS, type WeightStatistics } from './measure.ts';
export { type Plan, type Planner, type Prediction, type PruneTarget, RECIPE_AMOUNT, type Recipe } from './recipes.ts';

/** A weight with statistics of its elements. */
export interface MeasuredWeight extends WeightFacts {
  readonly statistics: WeightStatistics;
}

/** The result of {@link inspect}. */
export interface Inspection extends Structure {
  /** Why packed weights could not be unpacked, one sentence each; their parts are described as tensors. */
  readonly notes: readonly string[];
  /** Present if a plan was requested. */
  readonly plan?: Plan;
  /** Every float and 8-bit weight, the largest first; present if reading them was requested. */
  readonly measured?: readonly MeasuredWeight[];
}

export interface InspectOptions {
  /** Read the weights too, each once, in chunks. */
  readonly weights?: boolean;
  /** Predict what `quantize` and `prune` would do. */
  readonly planner?: Planner;
}

/**
 * Describes a model: its operators, its weights and, on request, how small it could become and statistics of its
 * weights. Changes nothing. Without `weights`, no weight is read except the masks of packed ones. Packed weights are
 * described as their unpacked values, with their size in the file; nodes, functions and opsets are those of the file.
 *
 * @throws CompressError if weights cannot be read
 * @example
 * const { parameters, weights } = await inspect(model);
 */
export async function inspect(model: Model, options: InspectOptions = {}): Promise<Inspection> {
  checkShape('inspect', options, { weights: 'flag', planner: 'object' });
  const { model: view, packed, notes } = await unpackedView(model);
  const weights = heldWeights(view, packed, await unpackedTensors(view));
  const structure = describeModel(model, weights);
  const plan = options.planner === undefined ? undefined : await planRecipes(model, options.planner);
  const measured: MeasuredWeight[] = [];
  if (options.weights) {
    for (const one of [...weights].sort((a, b) => b.byteLength - a.byteLength)) {
      const { held, stands, ...facts } = one;
      if (facts.role !== 'weight') continue;
      const statistics = await measureWeight(one);
      if (statistics !== undefined) measured.push({ ...facts, statistics });
    }
  }
  return { ...structure, notes, ...(plan && { plan }), ...(options.weights ? { measured } : {}) };
}
