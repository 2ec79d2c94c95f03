import { checkModel } from '../ir/check.ts';
import type { Model } from '../ir/model.ts';
import type { Change, Skip } from '../layers/skip.ts';

/** What a pass did, and what it did not do and why. */
export interface PassReport {
  readonly pass: string;
  readonly changes: readonly Change[];
  readonly skips: readonly Skip[];
  /** Weights that came packed and are dense now; absent where there are none. */
  readonly unpacked?: number;
  /** Facts about the whole model, a sentence each. */
  readonly notes: readonly string[];
}

/** Told how many of the weights a pass has looked at. */
export type Watch = (done: number, total: number) => void;

/** A rewrite of the map. Weights it changes are computed later, while the model is written. */
export interface Pass {
  readonly name: string;
  /** It follows another pass and may find nothing to do, which is then no error. */
  readonly optional?: boolean;
  /** @param watch - called where looking at weights may take long */
  run(model: Model, watch?: Watch): Promise<PassReport>;
}

/**
 * Runs passes in order over one model.
 * @throws CompressError `malformed` for what is no model: values that nothing makes, nodes in a circle
 */
export async function transform(model: Model, ...passes: readonly Pass[]): Promise<PassReport[]> {
  checkModel(model);
  const reports: PassReport[] = [];
  for (const pass of passes) reports.push(await pass.run(model));
  return reports;
}
