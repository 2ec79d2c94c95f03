import { checkModel } from '../ir/check.ts';
import type { Model } from '../ir/model.ts';
import type { Change, Skip } from '../layers/skip.ts';
import { checkShape } from '../options/check.ts';
import type { PassFact } from './facts.ts';

/** What a pass did, and what it skipped and why. */
export interface PassReport {
  readonly pass: string;
  readonly changes: readonly Change[];
  readonly skips: readonly Skip[];
  /** Number of packed weights that are dense now; absent if there are none. */
  readonly unpacked?: number;
  /** Facts about the whole model for programs; absent if there are none. */
  readonly facts?: readonly PassFact[];
  /** Facts about the whole model, one sentence each. */
  readonly notes: readonly string[];
}

/** Called with the number of weights that a pass has processed, and their total. */
export type Watch = (done: number, total: number) => void;

/** A rewrite of the graph. Weights that it changes are computed later, while the model is written. */
export interface Pass {
  readonly name: string;
  /** The pass follows another one, and finding nothing to do is no error. */
  readonly optional?: boolean;
  /**
   * @param watch - called while weights are processed, if that may take long
   */
  run(model: Model, watch?: Watch): Promise<PassReport>;
}

/** Options of {@link transform}. */
export interface TransformOptions {
  /** Called while weights are processed, if that may take long, with the name of the pass. */
  readonly onProgress?: (pass: string, done: number, total: number) => void;
}

/**
 * Runs passes in order over one model.
 * @throws CompressError `malformed` for an invalid graph: values that no node computes, or nodes in a cycle
 * @example
 * await transform(model, prune({ method: 'l1', amount: 0.4 }), quantize());
 * await transform(model, [quantize()], { onProgress: (pass, done, total) => console.log(pass, done, total) });
 */
export function transform(model: Model, ...passes: readonly Pass[]): Promise<PassReport[]>;
export function transform(model: Model, passes: readonly Pass[], options?: TransformOptions): Promise<PassReport[]>;
export async function transform(
  model: Model,
  first?: Pass | readonly Pass[],
  second?: Pass | TransformOptions,
  ...others: readonly Pass[]
): Promise<PassReport[]> {
  const listed = Array.isArray(first);
  const passes = (listed ? first : [first, second, ...others].filter((one) => one !== undefined)) as readonly Pass[];
  const options = listed ? (second as TransformOptions | undefined) : undefined;
  checkShape('transform', options ?? {}, { onProgress: 'function' });
  checkModel(model);
  const reports: PassReport[] = [];
  for (const pass of passes) {
    reports.push(await pass.run(model, (done, total) => options?.onProgress?.(pass.name, done, total)));
  }
  return reports;
}
