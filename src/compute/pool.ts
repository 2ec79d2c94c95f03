import { availableParallelism } from 'node:os';
import type { Tinypool } from 'tinypool';
import { CompressError } from '../errors.ts';
import type { FilePlace } from '../ir/tensor.ts';
import type { Job, JobOf, Results } from './jobs.ts';
import type { OrderedPart, OrderedPlace, OrderedTask, Outcome, Task } from './worker.ts';

/** More threads than this wait for memory and for each other's writes to the one file. */
const MOST_THREADS = 4;

/** Below so many bytes of work, threads would take longer to start than they save. */
export const WORTH_THREADS: number = 96 << 20;

let pool: Promise<Tinypool> | undefined;

/** Why no thread could start, where that is so: its folder is gone, or there is no more memory. */
let broken: CompressError | undefined;
/** Whoever waits for a task: where no thread starts, no task fails by itself. */
const waiting = new Set<(cause: CompressError) => void>();

function fail(cause: CompressError): void {
  broken = cause;
  for (const reject of waiting) reject(cause);
}

/** A task's outcome. No race with one promise for all of them: that would keep every outcome as long as it lives. */
function outcomeOf(threads: Tinypool, task: Task | OrderedTask): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    if (broken !== undefined) return reject(broken);
    waiting.add(reject);
    const done = threads.run(task) as Promise<Outcome>;
    done.then(resolve, reject).finally(() => waiting.delete(reject));
  });
}

let count: number | undefined;

/**
 * How many threads there may be beside this one, the same all the time; none where there is one processor, or when run
 * from source.
 */
export function threadCount(): number {
  // Threads run the built package; tests run the sources.
  if (import.meta.url.endsWith('.ts')) return 0;
  if (count === undefined) {
    const processors = availableParallelism();
    count = processors < 2 ? 0 : Math.min(processors, MOST_THREADS);
  }
  return count;
}

/** Starts the threads, for a caller who knows that there will be work for them. */
export function startThreads(): Promise<Tinypool> {
  pool ??= import('tinypool').then(({ Tinypool: Pool }) => {
    const threads = threadCount();
    const made = new Pool({
      filename: new URL('./worker.js', import.meta.url).href,
      name: 'run',
      runtime: 'worker_threads',
      minThreads: threads,
      maxThreads: threads,
      // Warnings of Node would come once a thread.
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    made.on('error', (cause: Error) => fail(new CompressError('io', '', `a thread cannot start: ${cause.message}`)));
    return made;
  });
  return pool;
}

/** A write that failed, to be named by who knows the file. */
function writeError(message: string, code: string | undefined): Error {
  return Object.assign(new Error(message), { code });
}

/**
 * Runs a job in another thread.
 * @param label - what errors call the file it reads
 * @throws CompressError `io` where reading fails; an error with the system's `code` where writing does
 */
export async function runInThread<Kind extends Job['kind']>(
  job: JobOf<Kind>,
  label: string,
  from: FilePlace,
  to?: FilePlace,
): Promise<Results[Kind]> {
  return (await performed({ job, from, to }, label)) as Results[Kind];
}

/**
 * Runs jobs in another thread that writes when it is their turn; whoever gave out the turns sees to it that nobody waits for ever.
 * @returns the pieces that were wanted, part by part
 * @throws as {@link runInThread}
 */
export async function runInTurn(
  parts: readonly OrderedPart[],
  label: string,
  to: OrderedPlace,
): Promise<readonly (readonly Uint8Array[])[]> {
  return (await performed({ parts, to }, label)) as Uint8Array[][];
}

async function performed(task: Task | OrderedTask, label: string): Promise<unknown> {
  const outcome = await outcomeOf(await startThreads(), task);
  if ('result' in outcome) return outcome.result;
  if (outcome.failed === 'write') throw writeError(outcome.message, outcome.code);
  throw new CompressError('io', label, outcome.message);
}
