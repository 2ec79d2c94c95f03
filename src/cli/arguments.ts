import type { Argv } from 'yargs';
import { CompressError } from '../errors.ts';
import { parseList, parsePatterns } from './parse.ts';

/** Arguments every verb has. */
export interface CommonArguments {
  model: string | undefined;
  output: string | undefined;
  force: boolean;
  dryRun: boolean;
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  externalData: boolean | undefined;
  embed: boolean | undefined;
}

/** Adds the model, where to write, and how to report. */
export function commonArguments(yargs: Argv): Argv<CommonArguments> {
  return yargs
    .positional('model', { type: 'string', describe: 'ONNX file to read; - or nothing reads standard input' })
    .option('output', {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      describe: 'file to write; - or nothing writes standard output',
    })
    .option('force', { alias: 'f', type: 'boolean', default: false, describe: 'replace files that exist' })
    .option('dry-run', {
      alias: 'n',
      type: 'boolean',
      default: false,
      describe: 'report what would change and the size; write nothing',
    })
    .option('json', {
      type: 'boolean',
      default: false,
      describe: 'report as JSON on standard output (needs -o FILE or --dry-run)',
    })
    .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'no report' })
    .option('verbose', {
      alias: 'v',
      type: 'boolean',
      default: false,
      describe: 'every weight in the report; stack traces',
    })
    .option('external-data', { type: 'boolean', describe: 'weights go to FILE.data beside the model' })
    .option('embed', { type: 'boolean', describe: 'weights go into the model file (up to 2 GiB)' })
    .conflicts('external-data', 'embed')
    .group(
      ['output', 'force', 'external-data', 'embed', 'dry-run', 'json', 'quiet', 'verbose'],
      'Files and report:',
    ) as unknown as Argv<CommonArguments>;
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
    .option('op-types', { ...list, describe: `only weights of these operators, of ${known.join(', ')}` })
    .option('include', { ...list, describe: 'only weights or nodes whose name matches this regular expression' })
    .option('exclude', { ...list, describe: 'no weights or nodes whose name matches this regular expression' })
    .group(['op-types', 'include', 'exclude'], 'Which weights:') as unknown as Argv<T & SelectionArguments>;
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
