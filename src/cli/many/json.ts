import type { VerifyReport } from '../../node/runtime/verify.ts';
import type { InspectJson } from '../inspect/json.ts';
import type { ErrorJson } from '../json/error.ts';
import type { RunJson } from '../json/run.ts';

/** What came of a model. What is there already, and what no pass changed, was skipped. */
export type Status = 'done' | 'skipped' | 'failed';

/** What came of all of them. */
export interface Totals {
  models: number;
  done: number;
  skipped: number;
  failed: number;
  /** Bytes of the models that are done, before and after. */
  before: number;
  after: number;
}

/** What a verb that takes several models reports of one. */
export type SingleReport = RunJson | InspectJson | VerifyReport;

/** What `--json` says of a model. */
export interface ManyEntry {
  readonly input: string;
  readonly output?: string;
  readonly status: Status;
  /** What the verb says of one model alone. */
  readonly report?: SingleReport;
  readonly error?: ErrorJson;
}

/** What `--json` writes for several models. */
export interface ManyJson {
  readonly models: readonly ManyEntry[];
  readonly totals: Totals;
  /** Of a folder that was copied whole: its other files. */
  readonly copied?: readonly string[];
  readonly notes: readonly string[];
}
