import { MODELS, STEP_ROWS, type StepValues } from './common.ts';
import { CONVERT } from './convert.ts';
import { COPY } from './copy.ts';
import { DEQUANTIZE } from './dequantize.ts';
import { DIFF, INSPECT } from './look.ts';
import { BENCH, VERIFY } from './measure.ts';
import type { AnyTable, Table } from './option.ts';
import { PACK } from './pack.ts';
import { PRUNE } from './prune.ts';
import { QUANTIZE } from './quantize.ts';
import { RUN } from './run.ts';
import { TUNE } from './tune.ts';
import { VARIANTS } from './variants.ts';
import type { Verb } from './verbs.ts';

export const FOLD: Table<StepValues> = { positionals: { model: MODELS }, rows: STEP_ROWS };

/** The options of each verb. */
export const TABLES: { readonly [verb in Verb]: AnyTable } = {
  prune: PRUNE,
  quantize: QUANTIZE,
  dequantize: DEQUANTIZE,
  pack: PACK,
  fold: FOLD,
  convert: CONVERT,
  copy: COPY,
  run: RUN,
  tune: TUNE,
  variants: VARIANTS,
  inspect: INSPECT,
  diff: DIFF,
  verify: VERIFY,
  bench: BENCH,
};
