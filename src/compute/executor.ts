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

/** Runs jobs over bytes in files: in this thread, or in several if they finish sooner. */
export interface FileExecutor {
  /** Number of threads that can compute, including this one. */
  threadCount(): number;
  /** Whether any free thread may compute a stored tensor; otherwise this thread does. */
  isShared(stored: Stored): boolean;
  /** Number of threads that would compute a stored tensor fastest; 1 if this thread should. */
  threadsFor(stored: Stored): number;
  /** Number of parts to split the reading of a stored tensor into. Counts it as work, which may start threads. */
  partsFor(stored: Stored): number;
  /**
   * Runs parts, in parallel if there are threads for them; results are in the order of the parts.
   * @throws CompressError `io` if reading fails
   */
  run<Kind extends Job['kind']>(stored: Stored, parts: readonly Part<Kind>[]): Promise<Results[Kind][]>;
  /** Runs a whole job in one thread, for a caller that has several jobs at once; errors as for `run`. */
  runAlone<Kind extends Job['kind']>(stored: Stored, job: JobOf<Kind>): Promise<Results[Kind]>;
  /**
   * Runs parts that write their results.
   * @param cutInto - maximum number of parts; each writes from where the previous one ends
   * @param byteLength - total bytes written
   * @returns the other results of the parts, in their order
   * @throws CompressError `io` if reading fails, an error with the system's `code` if writing fails
   */
  write<Kind extends WritingKind>(
    stored: Stored,
    cutInto: (count: number) => readonly Part<Kind>[],
    byteLength: number,
    target: WriteTarget,
  ): Promise<Results[Kind][]>;
}

let executor: FileExecutor | undefined;

/** Sets the executor for files. The module that opens files calls this; without files it is not needed. */
export function setFileExecutor(one: FileExecutor): void {
  executor = one;
}

/** The executor for the file that holds the bytes; undefined if they are in no file. */
export function executorOf({ file }: Stored): FileExecutor | undefined {
  return file === undefined ? undefined : executor;
}

/** Smaller tensors are computed and written like everything else. */
const LARGE: number = 1 << 18;

/** Whether a stored tensor is computed directly from file to file. */
export function isLarge(stored: Stored): boolean {
  return stored.byteLength >= LARGE && executorOf(stored) !== undefined;
}

/** Whether any free thread may compute a stored tensor; otherwise this thread does. */
export function isShared(stored: Stored): boolean {
  return executorOf(stored)?.isShared(stored) ?? false;
}

/** Number of threads that can compute, including this one. */
export function threadCount(): number {
  return executor?.threadCount() ?? 1;
}

/** Number of threads that would compute a stored tensor fastest; 1 if this thread should. */
export function threadsFor(stored: Stored): number {
  return executorOf(stored)?.threadsFor(stored) ?? 1;
}

/** Number of parts to split the reading of a stored tensor into: one per thread, or 1 in this thread. */
export function partsFor(stored: Stored): number {
  return executorOf(stored)?.partsFor(stored) ?? 1;
}
