import type { Argv } from 'yargs';
import { CompressError } from '../errors.ts';
import { STORES, type Store } from '../passes/pack/options.ts';
import type { Pass } from '../passes/pass.ts';
import { parseList, parsePatterns } from './parse.ts';

/** What a lone `-` is in place of the model while yargs parses: it takes `-` for an empty text. No path has a NUL. */
export const DASH = '\0-';

/** Arguments every verb has; undefined where not given. */
export interface CommonArguments {
  model: string | undefined;
  output: string | undefined;
  force: boolean | undefined;
  dryRun: boolean | undefined;
  json: boolean | undefined;
  quiet: boolean | undefined;
  verbose: boolean | undefined;
  externalData: boolean | undefined;
  embed: boolean | undefined;
  /** Of verbs that take it: where the report page goes. */
  report?: string | undefined;
}

/** Refuses standard input where a verb reads models more than once. */
export function refuseStdin(verb: string, paths: readonly string[]): void {
  if (!paths.some((path) => path === '' || path === DASH)) return;
  throw new CompressError('options', verb, 'models must be files; standard input is not read');
}

/** Adds the model, where to write, and how to report. Defaults are left to the passes, so that help stays short. */
export function commonArguments<T>(yargs: Argv<T>): Argv<T & CommonArguments> {
  const flag = { type: 'boolean' } as const;
  return yargs
    .positional('model', { type: 'string', describe: 'ONNX file to read; - or nothing reads standard input' })
    .option('output', {
      ...({ alias: 'o', type: 'string', requiresArg: true } as const),
      describe: 'file to write; - or nothing writes standard output',
    })
    .option('force', { ...flag, alias: 'f', describe: 'replace files that exist' })
    .option('external-data', { ...flag, describe: 'weights go to FILE.data beside the model' })
    .option('embed', { ...flag, describe: 'weights go into the model file (up to 2 GiB)' })
    .conflicts('external-data', 'embed')
    .group(['output', 'force', 'external-data', 'embed'], 'Files:')
    .option('dry-run', { ...flag, alias: 'n', describe: 'report what would change and the size; write nothing' })
    .option('json', { ...flag, describe: 'report as JSON on standard output too (needs -o FILE or --dry-run)' })
    .option('quiet', { ...flag, alias: 'q', describe: 'no report and no notes on options; errors are still said' })
    .option('verbose', { ...flag, alias: 'v', describe: 'every weight in the report; stack traces of errors' })
    .group(['dry-run', 'json', 'quiet', 'verbose', 'help', 'version'], 'Report:') as unknown as Argv<
    T & CommonArguments
  >;
}

/** The common arguments alone, of a verb that has more. */
export function commonOf(args: CommonArguments): CommonArguments {
  const { model, output, force, dryRun, json, quiet, verbose, externalData, embed, report } = args;
  return { model, output, force, dryRun, json, quiet, verbose, externalData, embed, report };
}

/** {@link commonArguments} of verbs that can be a step of a recipe; whoever runs them looks at `--save-recipe`. */
export function stepArguments<T>(yargs: Argv<T>): Argv<T & CommonArguments> {
  return commonArguments(reportArgument(saveRecipeArgument(yargs)));
}

/** Adds --save-recipe. */
export function saveRecipeArgument<T>(yargs: Argv<T>): Argv<T> {
  const describe = 'write the options down, for compress run';
  const spec = { type: 'string', requiresArg: true, describe } as const;
  return yargs.option('save-recipe', spec).group(['save-recipe'], 'Files:') as unknown as Argv<T>;
}

/** Adds --report. */
export function reportArgument<T>(yargs: Argv<T>): Argv<T> {
  const describe = 'write a page with tables and charts of what was done, an HTML file that loads nothing';
  const spec = { type: 'string', requiresArg: true, describe } as const;
  return yargs.option('report', spec).group(['report'], 'Report:') as unknown as Argv<T>;
}

/** Arguments of verbs that choose among weights. */
export interface SelectionArguments {
  opTypes: string[] | undefined;
  include: string[] | undefined;
  exclude: string[] | undefined;
}

/** Adds --op-types, --include and --exclude. */
export function selectionArguments<T>(yargs: Argv<T>, known: readonly string[]): Argv<T & SelectionArguments> {
  const list = { type: 'string', array: true, requiresArg: true, nargs: 1 } as const;
  return yargs
    .option('op-types', { ...list, describe: `only weights of these operators: ${known.join(',')}` })
    .option('include', { ...list, describe: 'only weights whose name, or whose node, matches this regular expression' })
    .option('exclude', { ...list, describe: 'no weights whose name, or whose node, matches this regular expression' })
    .group(['op-types', 'include', 'exclude'], 'Which weights:') as unknown as Argv<T & SelectionArguments>;
}

/** How the result is stored. */
export interface StoreArguments {
  store: Store;
}

/** Adds --store to a verb that makes zeros, or that keeps them. */
export function storeArgument<T>(yargs: Argv<T>): Argv<T & StoreArguments> {
  return yargs
    .option('store', {
      choices: STORES,
      default: 'dense',
      describe: 'dense (the default); bitmask, sparse or auto: weights with many zeros in fewer bytes, as pack does',
    })
    .group(['store'], 'How to store:') as unknown as Argv<T & StoreArguments>;
}

/** The pass that follows for --store: none for dense. */
export async function storePasses({ store }: StoreArguments): Promise<Pass[]> {
  if (store === 'dense') return [];
  return [(await import('../passes/pack/index.ts')).pack({ store, optional: true })];
}

/** The selection as the passes take it; what was not given is not there. */
export function readSelection(args: SelectionArguments): { opTypes?: string[]; include: RegExp[]; exclude: RegExp[] } {
  const patterns = {
    include: parsePatterns('include', args.include ?? []),
    exclude: parsePatterns('exclude', args.exclude ?? []),
  };
  if (args.opTypes === undefined) return patterns;
  const opTypes = parseList(args.opTypes);
  if (opTypes.length === 0) throw new CompressError('options', '--op-types', 'no operator is named');
  return { ...patterns, opTypes };
}
