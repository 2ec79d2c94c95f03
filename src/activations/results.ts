import { CompressError } from '../errors.ts';

/** Stores bytes and returns a function that reads them back. The caller may then reuse their memory. */
export type Keep = (bytes: Uint8Array) => Promise<() => Promise<Uint8Array>>;

/** The result for one layer: facts as JSON, and bytes that are read on demand. */
export interface Result {
  readonly facts: unknown;
  readonly parts: readonly (() => Promise<Uint8Array>)[];
}

/**
 * Results of a slow pass, one per layer, in the order in which the pass visits the layers. They can outlive an
 * interrupted run: a run of the same pass on the same model then starts with the results that are there.
 */
export interface Results {
  /** Number of results that existed when the pass started. */
  readonly earlier: number;
  /** Returns an earlier result, counted from 0. It comes from a file, so the caller must check it. */
  read(index: number): Result;
  /**
   * Stores the next result.
   * @throws CompressError `io`
   */
  add(facts: unknown, parts: readonly Uint8Array[]): Promise<Result>;
}

/**
 * Results that last only for this run.
 * @param keep - where the bytes are stored; in memory if omitted
 */
export function passingResults(keep?: Keep): Results {
  return {
    earlier: 0,
    read: () => {
      throw new RangeError('no results of an earlier run were found');
    },
    async add(facts, parts) {
      const kept = parts.map(async (one) => (keep === undefined ? async () => one : keep(one)));
      return { facts, parts: await Promise.all(kept) };
    },
  };
}

/** Returns the results of layers in order: first the earlier ones, then those computed now. */
export class ResultLine {
  readonly #results: Results;
  #next = 0;

  constructor(results: Results) {
    this.#results = results;
  }

  /** The result of the next layer. */
  async next(
    compute: () => Promise<{ readonly facts: unknown; readonly parts: readonly Uint8Array[] }>,
  ): Promise<Result> {
    const index = this.#next++;
    if (index < this.#results.earlier) return this.#results.read(index);
    const { facts, parts } = await compute();
    return this.#results.add(facts, parts);
  }
}

/** The error for a stored result that cannot belong to the layer it is read for. */
export function strangeResult(layer: string): CompressError {
  return new CompressError('data', layer, 'the results of an earlier run do not match it', {
    hint: 'Remove their folder, and start again.',
  });
}
