import { setFlagsFromString } from 'node:v8';
import type { ActivationRanges } from '../activations/ranges.ts';
import { checkTarget } from '../node/files/sink.ts';
import { mayChangeNothing, passesOf } from '../node/recipes/passes.ts';
import { calibrates } from '../node/recipes/quantize.ts';
import type { StepRun } from '../node/recipes/stepRun.ts';
import type { CommonValues, StepValues, StoreValues } from '../options/common.ts';
import type { QuantizeValues } from '../options/quantize.ts';
import type { StepVerb } from '../options/verbs.ts';
import type { Pass } from '../passes/pass.ts';
import { refuseOther } from './output.ts';
import { progress } from './progress.ts';
import type { Run } from './run.ts';

/** The values of a verb, and what a pass found, for the page that compares weights with what they were. */
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

/** How a command line runs steps: with a bar, and lines about what was asked for. */
export function stepRun({ quiet, verbose, dryRun, force }: CommonValues): StepRun {
  return {
    progress: (what) => progress(what, quiet === true),
    describeGroups: verbose ? 'all' : dryRun ? 'some' : 'none',
    dryRun: dryRun === true,
    overwrite: force === true,
  };
}

/** Before data is run through a model: refuses a file of ranges that cannot be written. */
export async function prepareToCalibrate(values: QuantizeValues): Promise<void> {
  const { saveRanges, dryRun, force } = values;
  if (saveRanges !== undefined && !dryRun) {
    refuseOther('saveRanges', saveRanges, values);
    await checkTarget(saveRanges, force === true);
  }
  if (calibrates(values)) keepYoungGenerationSmall();
}

/**
 * Thousands of runs each leave a little garbage. V8 would rather grow than collect it, to 50 MB over what is needed,
 * and memory would seem to grow with the data.
 */
function keepYoungGenerationSmall(): void {
  setFlagsFromString('--max-semi-space-size=2');
  setFlagsFromString('--semi-space-growth-factor=1');
}
