import { COMMON_ROWS, CONFIG_ROWS, type CommonValues, type ConfigFileValues, SAVE_RECIPE_ROW } from './common.ts';
import { VERIFY } from './measure.ts';
import { METRICS, type MetricName } from './metrics.ts';
import type { Option, Rows, Table } from './option.ts';
import { QUANTIZE, type QuantizeValues } from './quantize.ts';

/** Options of `quantize` that tuning has another use for, or none. */
const OWN = ['preset', 'samples', 'batch', 'allowUnchanged'] as const;
type Taken = Omit<QuantizeValues, (typeof OWN)[number] | 'saveRanges' | keyof CommonValues | 'saveRecipe'>;

/** How far tuning may go. */
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
const QUANTIZING = 'How to quantize, as onnx-compress quantize does';

/** What may be lost where nothing is said. */
export const DEFAULT_DROP = 0.01;

const TUNE_ROWS: Rows<TuneOnly> = {
  data: {
    kind: 'file',
    value: 'DATA',
    help: 'inputs to judge on, e.g. a .npz; __labels__ in it are the true classes',
    group: DATA,
  },
  samples: { kind: 'count', value: 'N', help: 'judge on the first N rows', group: DATA },
  batch: {
    kind: 'count',
    value: 'N',
    help: 'rows to feed at once (the fixed batch size of the model, or 1)',
    group: DATA,
  },
  prompts: { ...VERIFY.rows.prompts, not: ['data'] },
  tokens: VERIFY.rows.tokens,
  maxDrop: {
    kind: 'share',
    default: DEFAULT_DROP,
    value: 'SHARE',
    help: 'points of the metric that may be lost: 1% (the default), which is 1 or 0.01 too',
    group: KEEP,
    not: ['minSqnr'],
  },
  metric: {
    kind: 'choice',
    choices: METRICS,
    value: 'NAME',
    help: 'what is kept: accuracy (with labels), top1 or sqnr',
    group: KEEP,
  },
  minSqnr: { kind: 'number', what: 'a number of dB', value: 'DB', help: 'keep this many dB instead', group: KEEP },
  judge: { kind: 'text', value: 'NAME', help: 'name of the output that counts', group: KEEP },
  maxTrials: {
    kind: 'count',
    value: 'N',
    help: 'try at most N selections, and take the best of them',
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
  positionals: { model: { help: 'the float model, or a folder of models that generate text together' } },
  rows: {
    ...TUNE_ROWS,
    ...QUANTIZE_ROWS,
    calibrateSamples: { kind: 'count', value: 'N', help: 'calibrate with the first N rows', group: QUANTIZING },
    saveRecipe: SAVE_RECIPE_ROW,
    ...CONFIG_ROWS,
    ...COMMON_ROWS,
    output: {
      ...COMMON_ROWS.output,
      help: 'file to write, or folder for a folder; - writes standard output; none is written without',
    },
    json: { ...COMMON_ROWS.json, help: 'report as JSON on standard output' },
    dryRun: { ...COMMON_ROWS.dryRun, help: 'look for the layers; write nothing' },
  },
};
