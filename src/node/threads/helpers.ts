import { availableParallelism } from 'node:os';
import type { Tinypool } from 'tinypool';
import { CompressError } from '../../errors.ts';
import { sharesDescriptors } from './descriptors.ts';
import type { OrderedTask } from './ordered.ts';
import type { Outcome } from './transfer.ts';
import type { Task } from './worker.ts';

/** More threads than this, this one among them, wait for memory and for each other's writes to the one file. */
const MOST_THREADS = 4;

let count: number | undefined;

/**
 * How many threads can compute, this one among them, the same all the time; 1 where there is one processor, or when run
 * from source.
 */
export function threadCount(): number {
  // Threads run the built package; tests run the sources.
  if (import.meta.url.endsWith('.ts')) return 1;
  count ??= sharesDescriptors() ? Math.min(availableParallelism(), MOST_THREADS) : 1;
  return count;
}

/** Another thread, which does its tasks in the order they were given. */
export class Helper {
  readonly #pool: Tinypool;
  /** What waits for a task: where the thread does not start, no task fails by itself. */
  readonly #waiting = new Set<(cause: CompressError) => void>();
  #broken: CompressError | undefined;

  constructor(pool: Tinypool) {
    this.#pool = pool;
    pool.on('error', (cause: Error) => {
      this.#broken = new CompressError('io', '', `a thread could not be started: ${cause.message}`);
      for (const reject of this.#waiting) reject(this.#broken);
    });
  }

  /** Tasks that it has been given and not done. */
  get outstanding(): number {
    return this.#waiting.size;
  }

  /** @throws CompressError `io` if the thread could not start, or is no more */
  run(task?: Task | OrderedTask): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) return reject(this.#broken);
      this.#waiting.add(reject);
      const done = this.#pool.run(task) as Promise<Outcome>;
      done.finally(() => this.#waiting.delete(reject)).then(resolve, reject);
    });
  }
}

/** Starts the other threads; each has a pool of its own, so that what it does, and in what order, is known. */
export async function startHelpers(): Promise<readonly Helper[]> {
  const { Tinypool: Pool } = await import('tinypool');
  return Array.from({ length: threadCount() - 1 }, () => {
    const pool = new Pool({
      filename: new URL('./worker.js', import.meta.url).href,
      name: 'run',
      runtime: 'worker_threads',
      minThreads: 1,
      maxThreads: 1,
      // One at hand when the one before is done, even if this thread is busy then.
      concurrentTasksPerWorker: 2,
      // Warnings of Node would come once a thread.
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    return new Helper(pool);
  });
}
