import { CompressError } from '../errors.ts';

/** Puts bytes aside, and reads them again. */
export type Keep = (bytes: Uint8Array) => Promise<() => Promise<Uint8Array>>;

/** What was found for one layer: as JSON has it, and bytes that are read when they are needed. */
export interface Result {
  readonly facts: unknown;
  readonly parts: readonly (() => Promise<Uint8Array>)[];
}

/**
 * The results of a pass that takes long, layer by layer, in the order in which it looks at them. They may outlast a run
 * that is interrupted: one that asks the same of the same model then begins with those that are there.
 */
export interface Results {
  /** How many there are when the pass begins. */
  readonly earlier: number;
  /** One of the earlier ones, from 0 on. Its content comes from a file, and is checked by who asked. */
  read(index: number): Result;
  /** Keeps the next one. @throws CompressError `io` */
  add(facts: unknown, parts: readonly Uint8Array[]): Promise<Result>;
}

/** Results that last as long as the run. @param keep - where bytes wait; in memory without it */
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

/** Hands out the results of layers one after the other: the earlier ones, and those that are computed now. */
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

/** Refuses a result that cannot be of the layer it is for. */
export function strangeResult(layer: string): CompressError {
  return new CompressError('data', layer, 'the results of an earlier run do not match it', {
    hint: 'Remove their folder, and start again.',
  });
}
