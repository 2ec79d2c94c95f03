import type { Pass } from '../passes/pass.ts';
import type { CommonArguments } from './arguments.ts';
import { pipe, type RunReport, type Step, type Streams } from './pipe.ts';
import { columnsOf } from './text.ts';

/** Runs a verb: makes its passes from the arguments, pipes the model through them and reports. */
export type Run = (
  args: CommonArguments,
  passes: () => readonly Pass[] | Promise<readonly Pass[]>,
  allowUnchanged: boolean,
) => Promise<void>;

/** A {@link Run} that reports on these streams. */
export function runner(streams: Streams, color: boolean): Run {
  return async (args, passes, allowUnchanged) => {
    await runSteps(
      args,
      (await passes()).map((pass) => ({ pass, allowUnchanged })),
      streams,
      color,
    );
  };
}

/** Pipes the model through the steps and reports. */
export async function runSteps(
  args: CommonArguments,
  steps: readonly Step[],
  streams: Streams,
  color: boolean,
): Promise<RunReport> {
  const report = await pipe(args, streams, steps);
  if (args.json) streams.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  if (args.quiet) return report;
  const { render } = await import('./render.ts');
  const columns = columnsOf(streams.stderr);
  streams.stderr.write(render(report, { color, verbose: args.verbose === true, columns }));
  return report;
}
