import { type Step, stepsWith } from '../node/recipes/runStep.ts';
import type { CommonValues, SelectionValues } from '../options/common.ts';
import type { Pass } from '../passes/pass.ts';
import { checkOf, refuseUncheckable } from './check.ts';
import { reportJson } from './json/write.ts';
import { pipe, type RunReport, type Streams } from './pipe.ts';
import { asCalled } from './program.ts';
import { endProgress } from './progress.ts';
import { widthsOf } from './text.ts';

/** Runs a verb: makes its passes from the arguments, pipes the model through them and reports. */
export type Run = (
  args: CommonValues & Partial<SelectionValues>,
  passes: () => readonly Pass[] | Promise<readonly Pass[]>,
  allowUnchanged: boolean,
) => Promise<void>;

/** A {@link Run} that reports on these streams. */
export function runner(streams: Streams, color: boolean): Run {
  return async (args, passes, allowUnchanged) => {
    await runSteps(args, stepsWith(await passes(), { allowUnchanged, selection: args }), streams, color);
  };
}

/** Pipes the model through the steps and reports. */
export async function runSteps(
  args: CommonValues,
  steps: readonly Step[],
  streams: Streams,
  color: boolean,
): Promise<RunReport> {
  await refuseUncheckable(args);
  // The report code is loaded only if it is requested.
  if (args.report !== undefined) {
    const { reported } = await import('./report/run.ts');
    return reported(args, steps, streams, (report) => tell(report, args, streams, color));
  }
  const report = await pipe(args, streams, steps);
  await tell(report, args, streams, color);
  return report;
}

/** Prints the report. @returns it, with the figures of a check */
async function tell(made: RunReport, args: CommonValues, streams: Streams, color: boolean): Promise<RunReport> {
  // Figures that would not be shown.
  const unseen = args.quiet === true && args.json !== true && args.report === undefined;
  const check = unseen ? undefined : await checkOf(args, made);
  const report: RunReport = check === undefined ? made : { ...made, check };
  endProgress();
  if (args.json) reportJson(streams.stdout, report);
  if (args.quiet) return report;
  const { render } = await import('./render.ts');
  streams.stderr.write(
    asCalled(render(report, { color, verbose: args.verbose === true, ...widthsOf(streams.stderr) })),
  );
  return report;
}
