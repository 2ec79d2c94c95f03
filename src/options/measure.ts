/** The verbs that run models: `verify` and `bench`. */
import { JOBS_ROW, REPORT } from './common.ts';
import { LOOK_ROWS } from './look.ts';
import { METRICS, type MetricName } from './metrics.ts';
import type { Option, Table } from './option.ts';
import { VARIANT_DTYPES, type VariantDtype } from './variants.ts';

/** For verbs whose JSON replaces their report on standard output. */
const JSON_ROW: Option = { kind: 'flag', help: 'report as JSON on standard output', group: REPORT };
/** Help heading for the inputs of the models. */
const INPUTS = 'Inputs';
/** Help heading for comparing folders of models. */
const TEXT = 'Folders of text generation models';
/** Help heading for conditions that fail a build. */
const GATES = 'Gates (exit code 3)';

/** Default number of tokens of a text. */
export const TOKENS = 32;

export interface VerifyValues {
  reference: string;
  other: string;
  data?: string | undefined;
  samples?: number | undefined;
  batch?: number | undefined;
  seed?: number | undefined;
  output?: readonly string[] | undefined;
  metric?: MetricName | undefined;
  dtype?: VariantDtype | undefined;
  prompts?: string | undefined;
  tokens?: number | undefined;
  minSqnr?: number | undefined;
  minTop1?: number | undefined;
  requireFused?: boolean | undefined;
  jobs?: number | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
  verbose?: boolean | undefined;
}

export const VERIFY: Table<VerifyValues> = {
  positionals: {
    reference: { help: 'reference model, or a folder of models' },
    other: { help: 'model to compare, or a folder with models of the same names' },
  },
  rows: {
    data: {
      kind: 'file',
      value: 'DATA',
      help: 'model inputs, e.g. a .npz; its array __labels__ holds the true classes',
      group: INPUTS,
      not: ['seed'],
    },
    samples: { kind: 'count', value: 'N', help: 'use only the first N rows', group: INPUTS },
    batch: {
      kind: 'count',
      value: 'N',
      help: 'rows to feed at once (fixed batch size of the model, or 1)',
      group: INPUTS,
    },
    seed: {
      kind: 'whole',
      default: 0,
      value: 'N',
      help: 'seed of the random inputs that are used without --data (0)',
      group: INPUTS,
    },
    output: {
      kind: 'names',
      program: 'outputs',
      value: 'NAME',
      help: 'name of an output to compare (all except key/value caches)',
      group: 'What to compare',
    },
    metric: {
      kind: 'choice',
      choices: METRICS,
      value: 'NAME',
      help: 'accuracy or top1 for outputs with classes, sqnr for others',
      group: 'What to compare',
    },
    dtype: {
      kind: 'choice',
      choices: VARIANT_DTYPES,
      value: 'NAME',
      help: 'dtype of the files in the second folder, as transformers.js names them (fp32)',
      group: TEXT,
    },
    prompts: {
      kind: 'file',
      value: 'FILE',
      help: 'text file with one prompt per line; needs tokenizer.json',
      group: TEXT,
      not: ['data', 'seed'],
    },
    tokens: {
      kind: 'count',
      default: TOKENS,
      value: 'N',
      help: `tokens to generate per text (${TOKENS})`,
      group: TEXT,
    },
    minSqnr: {
      kind: 'number',
      what: 'a number of dB',
      value: 'DB',
      help: 'fail if the SQNR of a float output is below this many dB',
      group: GATES,
    },
    minTop1: {
      kind: 'number',
      what: 'a fraction from 0 to 1 or a percentage',
      most: 1,
      value: 'SHARE',
      help: 'fail if less than this share of rows, e.g. 99% or 0.99, has the same top-1',
      group: GATES,
    },
    requireFused: { kind: 'flag', help: 'fail if a weight is dequantized at every run', group: GATES },
    jobs: { ...JOBS_ROW, group: INPUTS },
    json: JSON_ROW,
    quiet: LOOK_ROWS.quiet,
    verbose: LOOK_ROWS.verbose,
  },
};

/** Defaults of {@link bench}. */
export const BENCH_DEFAULTS: { readonly runs: number; readonly warmup: number; readonly seconds: number } = {
  runs: 50,
  warmup: 5,
  seconds: 20,
};

export interface BenchValues {
  models: readonly string[];
  data?: string | undefined;
  seed?: number | undefined;
  batch?: readonly number[] | undefined;
  threads?: number | undefined;
  runs?: number | undefined;
  warmup?: number | undefined;
  seconds?: number | undefined;
  maxRatio?: number | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
  verbose?: boolean | undefined;
}

const HOW = 'How to measure';

export const BENCH: Table<BenchValues> = {
  positionals: { models: { help: 'models to time; ratios are relative to the first', many: true } },
  rows: {
    data: {
      kind: 'file',
      value: 'DATA',
      help: 'model inputs, as for verify; random ones by default',
      group: INPUTS,
      not: ['seed'],
    },
    seed: { kind: 'whole', default: 0, value: 'N', help: 'seed of the random inputs (0)', group: INPUTS },
    batch: {
      kind: 'counts',
      program: 'batches',
      value: 'N,N',
      help: 'rows to feed at once, e.g. 1,32 (fixed batch size of the model, or 1)',
      group: INPUTS,
    },
    threads: {
      kind: 'count',
      value: 'N',
      help: 'threads per operator (chosen by ONNX Runtime)',
      group: HOW,
    },
    runs: {
      kind: 'count',
      default: BENCH_DEFAULTS.runs,
      value: 'N',
      help: 'measured runs per model',
      group: HOW,
    },
    warmup: {
      kind: 'whole',
      default: BENCH_DEFAULTS.warmup,
      value: 'N',
      help: 'warm-up runs before measuring',
      group: HOW,
    },
    seconds: {
      kind: 'number',
      what: 'a number of seconds',
      default: BENCH_DEFAULTS.seconds,
      value: 'SECONDS',
      help: 'stop after this many seconds',
      group: HOW,
    },
    maxRatio: {
      kind: 'number',
      what: 'a ratio',
      value: 'RATIO',
      help: 'fail if a model takes more than this multiple of the time of the first',
      group: 'Gate (exit code 3)',
    },
    json: JSON_ROW,
    quiet: LOOK_ROWS.quiet,
    verbose: LOOK_ROWS.verbose,
  },
};
