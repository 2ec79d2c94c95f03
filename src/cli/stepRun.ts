import { setFlagsFromString } from 'node:v8';
import { CompressError } from '../errors.ts';
import { type ResultsFolder, resultsFolder } from '../node/files/resultsFolder.ts';
import { checkTarget } from '../node/files/sink.ts';
import type { StepRun } from '../node/recipes/stepRun.ts';
import type { CommonValues, ResumeValues } from '../options/common.ts';
import { calibrates, type QuantizeValues } from '../options/quantize.ts';
import { isStream, refuseOther } from './output.ts';
import { progress } from './progress.ts';

/** How a command line runs steps: with a progress bar and notes. */
export function stepRun(values: CommonValues & ResumeValues): StepRun {
  const { quiet, verbose, dryRun, force } = values;
  const results = resultsFor(values);
  return {
    ...(results !== undefined && { results }),
    progress: (what) => progress(what, quiet === true),
    describeGroups: verbose ? 'all' : dryRun ? 'some' : 'none',
    dryRun: dryRun === true,
    overwrite: force === true,
  };
}

/** Where the results of layers are kept: next to the output by default. */
function resultsFor({ resume, output, dryRun }: CommonValues & ResumeValues): ResultsFolder | undefined {
  if (resume === '') {
    throw new CompressError('options', 'resume', 'the name is empty', { hint: 'Is a variable of the script empty?' });
  }
  if (resume !== undefined) return resultsFolder(resume, { resume: true });
  return dryRun || output === undefined || isStream(output) ? undefined : resultsFolder(`${output}.resume`);
}

/** Refuses, before the model runs on data, a ranges file that cannot be written. */
export async function prepareToCalibrate(values: QuantizeValues): Promise<void> {
  const { saveRanges, dryRun, force } = values;
  if (saveRanges !== undefined && !dryRun) {
    refuseOther('saveRanges', saveRanges, values);
    await checkTarget(saveRanges, force === true);
  }
  if (calibrates(values)) keepYoungGenerationSmall();
}

/**
 * Thousands of runs each leave a little garbage. V8 prefers to grow its heap by up to 50 MB before it collects, so
 * memory would seem to grow with the data.
 */
function keepYoungGenerationSmall(): void {
  setFlagsFromString('--max-semi-space-size=2');
  setFlagsFromString('--semi-space-growth-factor=1');
}
