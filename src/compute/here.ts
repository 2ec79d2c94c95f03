import type { Stored } from '../bytes/stored.ts';
import { CompressError } from '../errors.ts';
import { Arena } from '../kernels/simd/arena.ts';
import type { Steps } from '../kernels/steps.ts';
import { executorOf, type Part } from './executor.ts';
import { type Job, type JobOf, type Results, stepsOf } from './jobs.ts';

/** Arenas that no computation uses at the moment; each has a few MiB. */
const idle: Arena[] = [];

/** Starts a job's steps in an arena of their own, which is reused after `end`. */
export function begin(job: Job): { readonly arena: Arena; readonly steps: Steps<unknown>; end(): void } {
  const arena = idle.pop() ?? new Arena();
  const mark = arena.mark();
  const end = (): void => {
    arena.release(mark);
    idle.push(arena);
  };
  return { arena, steps: stepsOf(job, arena), end };
}

/**
 * Runs a job on bytes from anywhere, reading asynchronously. Yields the bytes of the result in order; each chunk is
 * valid until the next one.
 */
export async function* streamHere<Kind extends Job['kind']>(
  stored: Stored,
  job: JobOf<Kind>,
  start: number,
): AsyncGenerator<Uint8Array, Results[Kind], void> {
  const { steps, end } = begin(job);
  try {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value as Results[Kind];
      if (step.value.kind === 'read') await stored.readInto(step.value.bytes, start + step.value.at);
      else yield step.value.bytes;
    }
  } finally {
    end();
  }
}

/**
 * Runs parts: in threads if the bytes are in a file and threads help, otherwise here. Results are in the order of the
 * parts.
 */
export async function runParts<Kind extends Job['kind']>(
  stored: Stored,
  parts: readonly Part<Kind>[],
): Promise<Results[Kind][]> {
  const executor = executorOf(stored);
  if (executor !== undefined) return executor.run(stored, parts);
  const results: Results[Kind][] = [];
  for (const { job, start } of parts) {
    const steps = streamHere(stored, job, start);
    let step = await steps.next();
    while (!step.done) step = await steps.next();
    results.push(step.value);
  }
  return results;
}

/** The executor for bytes in a file. @throws CompressError `internal` if they are not in a file */
export function fileExecutorOf(stored: Stored): NonNullable<ReturnType<typeof executorOf>> {
  const executor = executorOf(stored);
  if (executor === undefined) throw new CompressError('internal', stored.label, 'only a file can be computed in place');
  return executor;
}
