import type { VerifyReport } from '../../node/runtime/verify.ts';
import type { InspectJson } from '../inspect/json.ts';
import type { ErrorJson } from '../json/error.ts';
import type { RunJson } from '../json/run.ts';

/** The result for a model. Models whose output exists, and models that no pass changed, are skipped. */
export type Status = 'done' | 'skipped' | 'failed';

/** Totals over all models. */
export interface Totals {
  models: number;
  done: number;
  skipped: number;
  failed: number;
  /** Bytes of the models that are done, before and after. */
  before: number;
  after: number;
}

/** What a verb that takes several models reports about one. */
export type SingleReport = RunJson | InspectJson | VerifyReport;

/** The entry of one model in `--json`. */
export interface ManyEntry {
  readonly input: string;
  readonly output?: string;
  readonly status: Status;
  /** What the verb reports about one model alone. */
  readonly report?: SingleReport;
  readonly error?: ErrorJson;
}

/** What `--json` writes for several models. */
export interface ManyJson {
  readonly models: readonly ManyEntry[];
  readonly totals: Totals;
  /** For a folder that was copied whole: its other files. */
  readonly copied?: readonly string[];
  readonly notes: readonly string[];
}
