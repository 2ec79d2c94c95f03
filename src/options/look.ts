/** The verbs that only read: `inspect` and `diff`. */
import { CompressError } from '../errors.ts';
import { MANY_ROWS, type ManyValues, MODELS, REPORT } from './common.ts';
import type { Option, Table } from './option.ts';

/** Options of verbs whose result is the report. */
export const LOOK_ROWS: { readonly [key in 'json' | 'quiet' | 'verbose']: Option } = {
  json: { kind: 'flag', help: 'report as JSON', group: REPORT },
  quiet: { kind: 'flag', alias: 'q', help: 'print no report', group: REPORT },
  verbose: {
    kind: 'flag',
    alias: 'v',
    help: 'list every row in the report; show stack traces of errors',
    group: REPORT,
  },
};

/** The default format of `inspect`. */
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
      help: 'also read the weights: zeros, ranges, channels, outliers',
      group: WHAT,
      not: ['graph'],
    },
    graph: { kind: 'flag', alias: 'g', help: 'print the graph instead, one line per node', group: WHAT },
    format: {
      kind: 'choice',
      choices: ['text', 'json', 'md', 'csv'],
      default: INSPECT_DEFAULT.format,
      value: 'FORM',
      help: 'text (the default), json, md (Markdown tables) or csv (one line per weight)',
      group: REPORT,
      not: ['json'],
    },
    ...MANY_ROWS,
    json: { ...LOOK_ROWS.json, help: 'same as --format json' },
    verbose: LOOK_ROWS.verbose,
  },
  check: ({ graph, format }) => {
    if (!graph || format === undefined || format === 'text' || format === 'json') return;
    throw new CompressError('options', 'graph', `\`format: ${format}\` writes tables, and a graph is not a table`, {
      hint: '`format: json` lists the nodes.',
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
    before: { help: 'the original model; - means standard input' },
    after: { help: 'the changed model; - means standard input' },
  },
  rows: {
    exitCode: {
      kind: 'flag',
      help: 'exit with 1 if the models differ, like git diff',
      group: 'For scripts',
    },
    json: { ...LOOK_ROWS.json, not: ['markdown'] },
    markdown: { kind: 'flag', help: 'report as Markdown, e.g. for a pull request', group: REPORT },
    quiet: LOOK_ROWS.quiet,
    verbose: LOOK_ROWS.verbose,
  },
};
