import type { Pass } from '../passes/pass.ts';
import type { CommonArguments } from './arguments.ts';
import { pipe, type Streams } from './pipe.ts';
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
    const report = await pipe(args, streams, await passes(), allowUnchanged);
    if (args.json) streams.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
    if (args.quiet) return;
    const { render } = await import('./render.ts');
    const columns = columnsOf(streams.stderr);
    streams.stderr.write(render(report, { color, verbose: args.verbose === true, columns }));
  };
}
