import { COMMON_ROWS, CONFIG_ROWS, type CommonValues, type ConfigFileValues, SAVE_RECIPE_ROW } from './common.ts';
import { VERIFY } from './measure.ts';
import { METRICS, type MetricName } from './metrics.ts';
import type { Option, Rows, Table } from './option.ts';
import { QUANTIZE, type QuantizeValues } from './quantize.ts';

/** Options of `quantize` that tuning uses differently, or not at all. */
const OWN = ['preset', 'samples', 'batch', 'allowUnchanged'] as const;
type Taken = Omit<QuantizeValues, (typeof OWN)[number] | 'saveRanges' | keyof CommonValues | 'saveRecipe'>;

/** Options that limit the search. */
interface TuneOnly {
  data?: string | undefined;
  samples?: number | undefined;
  batch?: number | undefined;
  prompts?: string | undefined;
  tokens?: number | undefined;
  maxDrop?: number | undefined;
  metric?: MetricName | undefined;
  minSqnr?: number | undefined;
  judge?: string | undefined;
  maxTrials?: number | undefined;
}

export interface TuneValues extends TuneOnly, Taken, Omit<CommonValues, 'report'>, ConfigFileValues {
  calibrateSamples?: number | undefined;
  saveRecipe?: string | undefined;
}

const DATA = 'Data';
const KEEP = 'What to keep';
const QUANTIZING = 'How to quantize (as in onnx-compress quantize)';

/** Default of the accuracy that may be lost. */
export const DEFAULT_DROP = 0.01;

const TUNE_ROWS: Rows<TuneOnly> = {
  data: {
    kind: 'file',
    value: 'DATA',
    help: 'model inputs to measure the metric on, e.g. a .npz; its array __labels__ holds the true classes',
    group: DATA,
  },
  samples: { kind: 'count', value: 'N', help: 'use only the first N rows', group: DATA },
  batch: {
    kind: 'count',
    value: 'N',
    help: 'rows to feed at once (fixed batch size of the model, or 1)',
    group: DATA,
  },
  prompts: { ...VERIFY.rows.prompts, not: ['data'] },
  tokens: VERIFY.rows.tokens,
  maxDrop: {
    kind: 'share',
    default: DEFAULT_DROP,
    value: 'SHARE',
    help: 'allowed loss of the metric: 1% (the default), also written 1 or 0.01',
    group: KEEP,
    not: ['minSqnr'],
  },
  metric: {
    kind: 'choice',
    choices: METRICS,
    value: 'NAME',
    help: 'metric to keep: accuracy (needs labels), top1 or sqnr',
    group: KEEP,
  },
  minSqnr: {
    kind: 'number',
    what: 'a number of dB',
    value: 'DB',
    help: 'keep an SQNR of this many dB instead',
    group: KEEP,
  },
  judge: { kind: 'text', value: 'NAME', help: 'name of the output to measure', group: KEEP },
  maxTrials: {
    kind: 'count',
    value: 'N',
    help: 'try at most N selections of layers, and use the best',
    group: KEEP,
  },
};

/** The rows of `quantize` that say how, under one heading. */
const QUANTIZE_ROWS = Object.fromEntries(
  Object.entries<Option>(QUANTIZE.rows)
    .filter(
      ([key, { kind }]) => kind !== 'target' && !(OWN as readonly string[]).includes(key) && !(key in COMMON_ROWS),
    )
    .map(([key, row]) => [key, { ...row, group: QUANTIZING }]),
) as unknown as Rows<Taken>;

export const TUNE: Table<TuneValues> = {
  positionals: { model: { help: 'float ONNX file to read, or a folder of text generation models' } },
  rows: {
    ...TUNE_ROWS,
    ...QUANTIZE_ROWS,
    calibrateSamples: { kind: 'count', value: 'N', help: 'calibrate with the first N rows', group: QUANTIZING },
    saveRecipe: SAVE_RECIPE_ROW,
    ...CONFIG_ROWS,
    ...COMMON_ROWS,
    output: {
      ...COMMON_ROWS.output,
      help: 'file to write, or a folder for a folder; - means standard output; without it, no model is written',
    },
    json: { ...COMMON_ROWS.json, help: 'report as JSON on standard output' },
    dryRun: { ...COMMON_ROWS.dryRun, help: 'search only; write nothing' },
  },
};
