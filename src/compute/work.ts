import type { Stored } from '../ir/tensor.ts';
import { startThreads, threadCount, WORTH_THREADS } from './pool.ts';

/** Tensors smaller than this are done here: asking another thread takes as long. */
const MIN_SHARED: number = 4 << 20;

/** Bytes of work seen so far in this process: threads start when there is enough. */
let seen = 0;

/** Says that so much work is coming: threads may start while the rest gets ready. */
export function expectWork(bytes: number): void {
  seen += bytes;
  if (seen >= WORTH_THREADS && threadCount() > 0) void startThreads();
}

/** Starts the threads for a model of so many bytes before it is opened, if it will need them. */
export function prepareFor(bytes: number): void {
  if (bytes >= WORTH_THREADS && threadCount() > 0) void startThreads();
}

/** In how many parts to read a stored tensor: one for each thread, or one, here. Counts it as work. */
export function partsFor(stored: Stored): number {
  if (stored.byteLength >= MIN_SHARED && stored.file !== undefined) seen += stored.byteLength;
  return threadsFor(stored);
}

/** How many threads would compute a stored tensor sooner: 1 where this one should. */
export function threadsFor(stored: Stored): number {
  if (stored.byteLength < MIN_SHARED || stored.file === undefined || seen < WORTH_THREADS) return 1;
  return Math.max(1, threadCount());
}
