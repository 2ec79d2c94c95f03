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

/**
 * Version of the documents of `--json`. It is raised when a member is removed or changes its meaning, not when one is
 * added.
 */
export const JSON_VERSION = 1;

/**
 * The documents of `--json`, by name. `scripts/schemas.js` generates a JSON schema for each,
 * `schemas/NAME.schema.json`, including the comments.
 */
export interface Reports {
  /** What `prune`, `quantize`, `dequantize`, `pack`, `fold`, `convert`, `copy` and `run` report about one model. */
  readonly run: RunJson;
  /** What a verb reports about several models: the report of each, and the totals. */
  readonly models: ManyJson;
  /** What `tune` reports. */
  readonly tune: TuneJson;
  /** What `variants` reports. */
  readonly variants: VariantsJson;
  /** What `inspect` reports. */
  readonly inspect: InspectJson;
  /** What `diff` reports. */
  readonly diff: DiffJson;
  /** What `verify` reports about two models. */
  readonly verify: VerifyReport;
  /** What `verify` reports about two folders whose models generate text together. */
  readonly 'verify-folders': FamilyReport;
  /** What `bench` reports. */
  readonly bench: BenchReport;
}

/** A report of any verb. */
export type Report = Reports[keyof Reports];

/** A report as `--json` writes it. If the run measured its figures and then failed, it has an error too. */
type Document<T> = {
  /** A version may gain members; none is removed or changes its meaning. */
  readonly version: typeof JSON_VERSION;
} & T & { readonly error?: ErrorJson };

/** What `--json` writes, by the name of the document. */
export type Documents = { readonly [Name in keyof Reports]: Document<Reports[Name]> } & {
  /** What a verb writes if it fails before it has anything to report. */
  readonly error: { readonly version: typeof JSON_VERSION; readonly error: ErrorJson };
};
