import { availableParallelism } from 'node:os';
import type { Tinypool } from 'tinypool';
import { CompressError } from '../../errors.ts';
import { sharesDescriptors } from './descriptors.ts';
import type { OrderedTask } from './ordered.ts';
import type { Outcome } from './transfer.ts';
import type { Task } from './worker.ts';

/**
 * Maximum number of threads, including this one. More would wait for memory and for each other's writes to the file.
 */
const MOST_THREADS = 4;

let count: number | undefined;

/**
 * Number of threads that can compute, including this one. It is constant; 1 with one processor, or when run from
 * source.
 */
export function threadCount(): number {
  // Threads run the built package; tests run the sources.
  if (import.meta.url.endsWith('.ts')) return 1;
  count ??= sharesDescriptors() ? Math.min(availableParallelism(), MOST_THREADS) : 1;
  return count;
}

/** Another thread, which runs its tasks in order. */
export class Helper {
  readonly #pool: Tinypool;
  /** Callbacks of pending tasks: if the thread does not start, tasks do not fail by themselves. */
  readonly #waiting = new Set<(cause: CompressError) => void>();
  #broken: CompressError | undefined;

  constructor(pool: Tinypool) {
    this.#pool = pool;
    pool.on('error', (cause: Error) => {
      this.#broken = new CompressError('io', '', `a thread could not be started: ${cause.message}`);
      for (const reject of this.#waiting) reject(this.#broken);
    });
  }

  /** Number of its unfinished tasks. */
  get outstanding(): number {
    return this.#waiting.size;
  }

  /** @throws CompressError `io` if the thread could not start, or has ended */
  run(task?: Task | OrderedTask): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) return reject(this.#broken);
      this.#waiting.add(reject);
      const done = this.#pool.run(task) as Promise<Outcome>;
      done.finally(() => this.#waiting.delete(reject)).then(resolve, reject);
    });
  }
}

/** Starts the other threads. Each has its own pool, so that its tasks and their order are known. */
export async function startHelpers(): Promise<readonly Helper[]> {
  const { Tinypool: Pool } = await import('tinypool');
  return Array.from({ length: threadCount() - 1 }, () => {
    const pool = new Pool({
      filename: new URL('./worker.js', import.meta.url).href,
      name: 'run',
      runtime: 'worker_threads',
      minThreads: 1,
      maxThreads: 1,
      // Keep a second task ready, even if this thread is busy when the first one ends.
      concurrentTasksPerWorker: 2,
      // Node would print its warnings once per thread.
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    return new Helper(pool);
  });
}
