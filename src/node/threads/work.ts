import type { Stored } from '../../bytes/stored.ts';
import { isLarge } from '../../compute/executor.ts';
import { threadCount } from './helpers.ts';

/** With fewer bytes of weights, starting other threads takes longer than they save. */
export const WORTH_THREADS: number = 512 << 20;

/** Smaller tensors are not split into parts for threads. */
const WORTH_CUTTING: number = 4 << 20;

/** Smaller tensors are computed in this thread: asking another one takes as long. */
const WORTH_ASKING: number = 1 << 20;

/** Bytes of work so far in this process: threads start when there is enough. */
let seen = 0;

/** Whether the caller has announced the amount of work. */
let isAnnounced = false;

/** Announces the amount of work, so that threads may start in the meantime. */
export function expectWork(bytes: number): void {
  isAnnounced = true;
  see(bytes);
}

/** Starts the threads for a model of this size before it is opened, if it will need them. */
export function prepareFor(bytes: number): void {
  if (bytes >= WORTH_THREADS) start();
}

/**
 * Number of parts to split the reading of a stored tensor into: one per thread, or 1 in this thread. Counts it as work
 * if the caller has not announced any.
 */
export function partsFor(stored: Stored): number {
  if (!isAnnounced && isLarge(stored)) see(stored.byteLength);
  return threadsFor(stored);
}

/** Number of threads that would compute a stored tensor fastest; 1 if this thread should. */
export function threadsFor(stored: Stored): number {
  return stored.byteLength >= WORTH_CUTTING && isShared(stored) ? threadCount() : 1;
}

/** Whether any free thread may compute a stored tensor; otherwise this thread does. */
export function isShared(stored: Stored): boolean {
  return stored.byteLength >= WORTH_ASKING && isLarge(stored) && seen >= WORTH_THREADS;
}

function see(bytes: number): void {
  seen += bytes;
  if (seen >= WORTH_THREADS) start();
}

/**
 * The crew is loaded with the kernels, because most models do not need it. If it cannot start, the computation reports
 * why.
 */
function start(): void {
  if (threadCount() < 2) return;
  import('./crew.ts').then(
    ({ startCrew }) => startCrew(),
    () => {},
  );
}
