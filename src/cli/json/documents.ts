import type { FamilyReport } from '../../node/recipes/generation/verify.ts';
import type { BenchReport } from '../../node/runtime/bench.ts';
import type { VerifyReport } from '../../node/runtime/verify.ts';
import type { DiffJson } from '../diff/json.ts';
import type { InspectJson } from '../inspect/json.ts';
import type { ManyJson } from '../many/json.ts';
import type { TuneJson } from '../tune/json.ts';
import type { VariantsJson } from '../variants/json.ts';
import type { ErrorJson } from './error.ts';
import type { RunJson } from './run.ts';

/** Version of what `--json` writes: it grows when a member goes or changes its meaning, not when one is added. */
export const JSON_VERSION = 1;

/**
 * What `--json` reports, by the name of the document. `scripts/schemas.js` makes a JSON schema of each,
 * `schemas/NAME.schema.json`; what stands here in comments stands there too.
 */
export interface Reports {
  /** What `prune`, `quantize`, `dequantize`, `pack`, `fold`, `convert`, `copy` and `run` report of one model. */
  readonly run: RunJson;
  /** What a verb reports that was given several models: what it says of each, and the totals. */
  readonly models: ManyJson;
  /** What `tune` reports. */
  readonly tune: TuneJson;
  /** What `variants` reports. */
  readonly variants: VariantsJson;
  /** What `inspect` reports. */
  readonly inspect: InspectJson;
  /** What `diff` reports. */
  readonly diff: DiffJson;
  /** What `verify` reports of two models. */
  readonly verify: VerifyReport;
  /** What `verify` reports of two folders whose models generate text together. */
  readonly 'verify-folders': FamilyReport;
  /** What `bench` reports. */
  readonly bench: BenchReport;
}

/** What a run has to report. */
export type Report = Reports[keyof Reports];

/** A report as `--json` writes it. A run that came to its figures and then failed has both. */
type Document<T> = {
  /** Members may be added to a version; none goes or changes its meaning. */
  readonly version: typeof JSON_VERSION;
} & T & { readonly error?: ErrorJson };

/** What `--json` writes, by the name of the document. */
export type Documents = { readonly [Name in keyof Reports]: Document<Reports[Name]> } & {
  /** What every verb writes that fails before it has anything to report. */
  readonly error: { readonly version: typeof JSON_VERSION; readonly error: ErrorJson };
};
