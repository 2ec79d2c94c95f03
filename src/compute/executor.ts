import type { Stored, WriteTarget } from '../bytes/stored.ts';
import type { Job, JobOf, Results } from './jobs.ts';

/**
 * A job over bytes that begin at `start` of the stored ones, its result (if it has one) at `at` of the whole result.
 */
export interface Part<Kind extends Job['kind']> {
  readonly job: JobOf<Kind>;
  readonly start: number;
  readonly at: number;
}

/** Jobs whose result is written. */
export type WritingKind = 'quantize' | 'transpose' | 'zero' | 'copy' | 'halves';

/**
 * Computes jobs over bytes that lie in files, where they lie: in this thread, or in several where those are sooner
 * done.
 */
export interface FileExecutor {
  /** How many threads can compute, this one among them. */
  threadCount(): number;
  /** Whether one of several threads computes a stored tensor, whichever is free; else this one. */
  isShared(stored: Stored): boolean;
  /** How many threads would compute a stored tensor sooner: 1 where this one should. */
  threadsFor(stored: Stored): number;
  /** In how many parts to read a stored tensor. Counts it as work, for which threads may start. */
  partsFor(stored: Stored): number;
  /**
   * Runs parts, side by side where there are threads for them; results in their order.
   * @throws CompressError `io` if reading fails
   */
  run<Kind extends Job['kind']>(stored: Stored, parts: readonly Part<Kind>[]): Promise<Results[Kind][]>;
  /** Has a whole job done by one thread, for a caller that has several at once; errors as those of `run`. */
  runAlone<Kind extends Job['kind']>(stored: Stored, job: JobOf<Kind>): Promise<Results[Kind]>;
  /**
   * Runs parts that write their results.
   * @param cutInto - at most so many parts, each of which writes from where the one before ends
   * @param byteLength - of what they write together
   * @returns what each gives besides, in their order
   * @throws CompressError `io` if reading fails, an error with the system's `code` where writing does
   */
  write<Kind extends WritingKind>(
    stored: Stored,
    cutInto: (count: number) => readonly Part<Kind>[],
    byteLength: number,
    target: WriteTarget,
  ): Promise<Results[Kind][]>;
}

let executor: FileExecutor | undefined;

/** Sets what computes over files. The module that opens files calls this; without files it is not needed. */
export function setFileExecutor(one: FileExecutor): void {
  executor = one;
}

/** What computes over the file that bytes lie in; undefined if they lie in none. */
export function executorOf({ file }: Stored): FileExecutor | undefined {
  return file === undefined ? undefined : executor;
}

/** Tensors smaller than this are computed and written like everything else. */
const LARGE: number = 1 << 18;

/** Whether a stored tensor is computed where it lies, from file to file. */
export function isLarge(stored: Stored): boolean {
  return stored.byteLength >= LARGE && executorOf(stored) !== undefined;
}

/** Whether one of several threads computes a stored tensor, whichever is free; else this one. */
export function isShared(stored: Stored): boolean {
  return executorOf(stored)?.isShared(stored) ?? false;
}

/** How many threads can compute, this one among them. */
export function threadCount(): number {
  return executor?.threadCount() ?? 1;
}

/** How many threads would compute a stored tensor sooner: 1 where this one should. */
export function threadsFor(stored: Stored): number {
  return executorOf(stored)?.threadsFor(stored) ?? 1;
}

/** In how many parts to read a stored tensor: one for each thread, or one, here. */
export function partsFor(stored: Stored): number {
  return executorOf(stored)?.partsFor(stored) ?? 1;
}
