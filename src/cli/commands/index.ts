import type { CommandModule } from 'yargs';
import type { StepValues } from '../../options/common.ts';
import { isStepVerb, type StepVerb, SUMMARIES, VERBS, type Verb } from '../../options/verbs.ts';
import { type Colors, type Command, yargsCommand } from '../command.ts';
import type { GivenOptions } from '../config/given.ts';
import { folderOf, forOne, type Named } from '../many/several.ts';
import type { Streams } from '../pipe.ts';
import type { Run } from '../run.ts';

/**
 * The verbs as yargs commands, whose handlers throw `Chosen`. Only verbs that the command line names are loaded,
 * because loading all would take longer than most runs.
 */
export function commandsFor(argv: readonly string[], streams: Streams, colors: Colors): Promise<CommandModule[]> {
  return Promise.all(
    VERBS.map(async (verb): Promise<CommandModule> => {
      const { command, describe } = SUMMARIES[verb];
      if (!argv.includes(verb)) return { command, describe, handler: () => {} };
      const loaded = await loadVerb(verb, streams, colors);
      return yargsCommand(loaded, streams, (told, models) => runCommand(loaded, told, models, streams, colors));
    }),
  );
}

/** Runs a verb, for each model if there are several, and writes its options to a recipe if requested. */
async function runCommand(
  loaded: Command<object>,
  told: GivenOptions,
  listed: readonly string[],
  streams: Streams,
  colors: Colors,
): Promise<void> {
  const folder = loaded.verb === 'run' ? await folderOf(told.run) : undefined;
  const models = folder === undefined ? listed : [folder];
  const one: Named | undefined = await forOne(told.run, models);
  const values = one === undefined ? undefined : { ...(await told.valuesFor(one.model)), ...one };
  const run = async (): Promise<void> => {
    if (values !== undefined) return loaded.run(values);
    const { runMany } = await import('../many/run.ts');
    await runMany(loaded, told, models, { streams, colors, load: loadVerb });
  };
  const { saveRecipe, dryRun } = told.run as StepValues;
  if (!isStepVerb(loaded.verb) || saveRecipe === undefined || dryRun) return run();
  const { savingRecipe } = await import('../recipe/save.ts');
  await savingRecipe(loaded.verb, values ?? told.run, run, async () => values ?? told.valuesFor(undefined));
}

/** Loads a verb with everything it needs. */
export async function loadVerb(verb: Verb, streams: Streams, { color, colorOut }: Colors): Promise<Command<object>> {
  if (verb === 'verify' || verb === 'bench') {
    const sources = await import('../sources.ts');
    return verb === 'verify'
      ? (await import('./verify.ts')).verifyCommand(streams, colorOut, sources)
      : (await import('./bench.ts')).benchCommand(streams, colorOut, sources);
  }
  if (verb === 'inspect') return (await import('./inspect.ts')).inspectCommand(streams, colorOut);
  if (verb === 'diff') return (await import('./diff.ts')).diffCommand(streams, colorOut);
  if (verb === 'variants') return (await import('./variants.ts')).variantsCommand(streams, color);
  const { runner } = await import('../run.ts');
  switch (verb) {
    case 'run':
      return (await import('./run.ts')).runCommand(streams, color);
    case 'tune':
      return (await import('./tune.ts')).tuneCommand(streams, color);
    default:
      return loadStep(verb, runner(streams, color));
  }
}

/** Loads a verb whose passes are run by `run`. */
async function loadStep(verb: StepVerb, run: Run): Promise<Command<StepValues>> {
  switch (verb) {
    case 'prune':
      return (await import('./prune.ts')).pruneCommand(run);
    case 'quantize':
      return (await import('./quantize.ts')).quantizeCommand(run);
    case 'dequantize':
      return (await import('./dequantize.ts')).dequantizeCommand(run);
    case 'pack':
      return (await import('./pack.ts')).packCommand(run);
    case 'fold':
      return (await import('./fold.ts')).foldCommand(run);
    case 'convert':
      return (await import('./convert.ts')).convertCommand(run);
    case 'copy':
      return (await import('./copy.ts')).copyCommand(run);
  }
}
