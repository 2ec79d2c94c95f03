import type { Stored } from '../../bytes/stored.ts';
import { isLarge } from '../../compute/executor.ts';
import { threadCount } from './helpers.ts';

/** Below so many bytes of weights, other threads would take longer to start than they save. */
export const WORTH_THREADS: number = 512 << 20;

/** Tensors smaller than this are not cut into parts for threads. */
const WORTH_CUTTING: number = 4 << 20;

/** Tensors smaller than this are done here: asking another thread takes as long. */
const WORTH_ASKING: number = 1 << 20;

/** Bytes of work seen so far in this process: threads start when there is enough. */
let seen = 0;

/** Whether the caller has said how much work is coming. */
let told = false;

/** Says that so much work is coming: threads may start while the rest gets ready. */
export function expectWork(bytes: number): void {
  told = true;
  see(bytes);
}

/** Starts the threads for a model of so many bytes before it is opened, if it will need them. */
export function prepareFor(bytes: number): void {
  if (bytes >= WORTH_THREADS) start();
}

/**
 * In how many parts to read a stored tensor: one for each thread, or one, in this thread. Counts it as work where the
 * caller has not said what is coming.
 */
export function partsFor(stored: Stored): number {
  if (!told && isLarge(stored)) see(stored.byteLength);
  return threadsFor(stored);
}

/** How many threads would compute a stored tensor sooner: 1 where this one should. */
export function threadsFor(stored: Stored): number {
  return stored.byteLength >= WORTH_CUTTING && isShared(stored) ? threadCount() : 1;
}

/** Whether one of several threads computes a stored tensor, whichever is free; else this one. */
export function isShared(stored: Stored): boolean {
  return stored.byteLength >= WORTH_ASKING && isLarge(stored) && seen >= WORTH_THREADS;
}

function see(bytes: number): void {
  seen += bytes;
  if (seen >= WORTH_THREADS) start();
}

/** The crew comes with the kernels, which most models do without. Should it not start, the computation says why. */
function start(): void {
  if (threadCount() < 2) return;
  import('./crew.ts').then(
    ({ startCrew }) => startCrew(),
    () => {},
  );
}
