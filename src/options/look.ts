/** The verbs that only look: `inspect` and `diff`. */
import { CompressError } from '../errors.ts';
import { MANY_ROWS, type ManyValues, MODELS, REPORT } from './common.ts';
import type { Option, Table } from './option.ts';

/** Of verbs whose result is the report. */
export const LOOK_ROWS: { readonly [key in 'json' | 'quiet' | 'verbose']: Option } = {
  json: { kind: 'flag', help: 'report as JSON', group: REPORT },
  quiet: { kind: 'flag', alias: 'q', help: 'no report for people', group: REPORT },
  verbose: {
    kind: 'flag',
    alias: 'v',
    help: 'show every row in the report, and stack traces of errors',
    group: REPORT,
  },
};

/** What `inspect` writes unless told otherwise. */
export const INSPECT_DEFAULT = { format: 'text' } as const;

export interface InspectValues extends ManyValues {
  model?: string | undefined;
  weights?: boolean | undefined;
  graph?: boolean | undefined;
  format?: 'text' | 'json' | 'md' | 'csv' | undefined;
  json?: boolean | undefined;
  verbose?: boolean | undefined;
}

const WHAT = 'What to look at';

export const INSPECT: Table<InspectValues> = {
  positionals: { model: MODELS },
  rows: {
    weights: {
      kind: 'flag',
      alias: 'w',
      help: 'read the weights too: zeros, ranges, channels, outliers',
      group: WHAT,
      not: ['graph'],
    },
    graph: { kind: 'flag', alias: 'g', help: 'print the graph instead, one node per line', group: WHAT },
    format: {
      kind: 'choice',
      choices: ['text', 'json', 'md', 'csv'],
      default: INSPECT_DEFAULT.format,
      value: 'FORM',
      help: 'text (the default), json, md: Markdown tables, csv: a line for each weight',
      group: REPORT,
      not: ['json'],
    },
    ...MANY_ROWS,
    json: { ...LOOK_ROWS.json, help: 'report as JSON, as --format json does' },
    verbose: LOOK_ROWS.verbose,
  },
  check: ({ graph, format }) => {
    if (!graph || format === undefined || format === 'text' || format === 'json') return;
    throw new CompressError('options', 'graph', `a graph is no table, as \`format: ${format}\` writes them`, {
      hint: 'With `format: json` its nodes are data.',
    });
  },
};

export interface DiffValues {
  before: string;
  after: string;
  exitCode?: boolean | undefined;
  json?: boolean | undefined;
  markdown?: boolean | undefined;
  quiet?: boolean | undefined;
  verbose?: boolean | undefined;
}

export const DIFF: Table<DiffValues> = {
  positionals: {
    before: { help: 'the model as it was; - reads standard input' },
    after: { help: 'the model as it is; - reads standard input' },
  },
  rows: {
    exitCode: {
      kind: 'flag',
      help: 'exit with 1 if the models differ, like git diff',
      group: 'For scripts',
    },
    json: { ...LOOK_ROWS.json, not: ['markdown'] },
    markdown: { kind: 'flag', help: 'report as Markdown, for a comment on a pull request', group: REPORT },
    quiet: LOOK_ROWS.quiet,
    verbose: LOOK_ROWS.verbose,
  },
};
