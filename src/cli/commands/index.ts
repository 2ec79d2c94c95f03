import type { CommandModule } from 'yargs';
import type { Streams } from '../pipe.ts';
import { SUMMARIES, VERBS, type Verb } from '../usage.ts';

/** Whether the streams may have colours: standard error for reports, standard output for results. */
export interface Colors {
  readonly color: boolean;
  readonly colorOut: boolean;
}

/**
 * The verb that the command line chose, on its way out of yargs. Thrown, because after a handler returns yargs lays out
 * the whole help text, which takes longer than to quantize a small model.
 */
export class Chosen extends Error {
  readonly run: () => void | Promise<void>;

  constructor(run: () => void | Promise<void>) {
    super('a verb was chosen');
    this.run = run;
  }
}

/**
 * The verbs for yargs. Their handlers throw {@link Chosen}. Only those the command line names are loaded: the others, and what they import, would take longer
 * than most runs; of them the help shows a line.
 */
export function commandsFor(argv: readonly string[], streams: Streams, colors: Colors): Promise<CommandModule[]> {
  return Promise.all(
    VERBS.map(async (verb): Promise<CommandModule> => {
      const [command, describe] = SUMMARIES[verb];
      if (!argv.includes(verb)) return { command, describe, handler: () => {} };
      const module = (await load(verb, streams, colors)) as CommandModule;
      const handler: CommandModule['handler'] = (args) => {
        throw new Chosen(() => module.handler(args));
      };
      return { ...module, handler };
    }),
  );
}

async function load(verb: Verb, streams: Streams, { color, colorOut }: Colors): Promise<unknown> {
  if (verb === 'verify' || verb === 'bench') {
    const sources = await import('../sources.ts');
    return verb === 'verify'
      ? (await import('./verify.ts')).verifyCommand(streams, colorOut, sources)
      : (await import('./bench.ts')).benchCommand(streams, colorOut, sources);
  }
  if (verb === 'inspect') return (await import('./inspect.ts')).inspectCommand(streams, colorOut);
  if (verb === 'diff') return (await import('./diff.ts')).diffCommand(streams, colorOut);
  const run = (await import('../run.ts')).runner(streams, color);
  switch (verb) {
    case 'prune':
      return (await import('./prune.ts')).pruneCommand(run);
    case 'quantize':
      return (await import('./quantize.ts')).quantizeCommand(run);
    case 'fold':
      return (await import('./fold.ts')).foldCommand(run);
    case 'convert':
      return (await import('./convert.ts')).convertCommand(run);
    case 'copy':
      return (await import('./copy.ts')).copyCommand(run);
  }
}
