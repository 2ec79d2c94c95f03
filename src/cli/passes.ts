import type { ActivationRanges } from '../activations/ranges.ts';
import { mayChangeNothing, passesOf } from '../node/recipes/passes.ts';
import type { StepValues, StoreValues } from '../options/common.ts';
import type { StepVerb } from '../options/verbs.ts';
import type { Pass } from '../passes/pass.ts';
import type { Run } from './run.ts';
import { prepareToCalibrate, stepRun } from './stepRun.ts';

/** The values of a verb, and the ranges that equalization found; the report page needs these to compare weights. */
type Found = StepValues & StoreValues & { allowUnchanged?: boolean; equalizedRanges?: ActivationRanges };

/** Runs the passes of a verb. */
export function runVerb(run: Run, verb: StepVerb, given: StepValues): Promise<void> {
  const stores = verb === 'prune' || verb === 'quantize';
  const values: Found = { ...(stores ? { store: 'dense' } : {}), ...given };
  return run(values, () => passesFor(verb, values), mayChangeNothing(verb, values));
}

async function passesFor(verb: StepVerb, values: Found): Promise<Pass[]> {
  const onEqualized = (found: ActivationRanges): void => {
    values.equalizedRanges = found;
  };
  const passes = await passesOf(verb, values, { ...stepRun(values), onEqualized });
  if (verb === 'quantize') await prepareToCalibrate(values);
  return passes;
}
