import { CompressError } from '../errors.ts';
import type { FilePlace, Stored, Target } from '../ir/tensor.ts';
import { Arena } from '../kernels/simd/arena.ts';
import { type Job, type JobOf, type Results, stepsOf } from './jobs.ts';
import { runInThread, runInTurn, threadCount } from './pool.ts';
import { ABANDONED } from './worker.ts';

/** A job over bytes that begin at `start` of the stored ones, its result (if it has one) at `at` of the whole result. */
export interface Part<Kind extends Job['kind']> {
  readonly job: JobOf<Kind>;
  readonly start: number;
  readonly at: number;
}

/** Runs parts side by side where there are threads for them, else one after the other; results in their order. */
export async function runParts<Kind extends Job['kind']>(
  stored: Stored,
  parts: readonly Part<Kind>[],
): Promise<Results[Kind][]> {
  const { file } = stored;
  if (parts.length > 1 && file !== undefined) {
    return settled(parts.map(({ job, start }) => runInThread(job, stored.label, moved(file, start))));
  }
  const results: Results[Kind][] = [];
  for (const part of parts) {
    const steps = runHere(stored, part);
    let step = await steps.next();
    while (!step.done) step = await steps.next();
    results.push(step.value);
  }
  return results;
}

/** Runs a whole job in another thread, for a caller that has several at once. The bytes must lie in a file. */
export function runApart<Kind extends Job['kind']>(stored: Stored, job: JobOf<Kind>): Promise<Results[Kind]> {
  return runInThread(job, stored.label, fileOf(stored));
}

/** Runs parts in threads that write their results into a file. The bytes must lie in a file too. */
export async function writeParts<Kind extends Job['kind']>(
  stored: Stored,
  parts: readonly Part<Kind>[],
  to: FilePlace,
): Promise<void> {
  const file = fileOf(stored);
  await settled(parts.map(({ job, start, at }) => runInThread(job, stored.label, moved(file, start), moved(to, at))));
}

/**
 * Runs parts in threads that write their results one after the other, in the order of the parts. Of two threads each has every
 * second part: it computes one while the other writes.
 * @param byteLength - of what they write together
 */
export async function writeInOrder<Kind extends Job['kind']>(
  stored: Stored,
  parts: readonly Part<Kind>[],
  byteLength: number,
  { fd, watching }: Target,
): Promise<void> {
  const file = fileOf(stored);
  const turn = new SharedArrayBuffer(4);
  const abandon = (): void => {
    const state = new Int32Array(turn);
    Atomics.store(state, 0, -1);
    Atomics.notify(state, 0);
  };
  const all = parts.map(({ job, start, at }, index) => {
    const first = (watching?.start ?? 0) + at;
    const length = (parts[index + 1]?.at ?? byteLength) - at;
    const wanted = watching?.watcher.wanted(first, length) ?? [];
    const own = wanted.map((piece) => ({ ...piece, start: piece.start - first }));
    return { first, part: { job, from: moved(file, start), index, byteLength: length, wanted: own } };
  });
  const threads = threadCount();
  const shares = Array.from({ length: threads }, (_, thread) => all.filter((__, index) => index % threads === thread));
  const ended = await Promise.allSettled(
    shares.map(async (share) => {
      const ordered = share.map(({ part }) => part);
      const shown = await runInTurn(ordered, stored.label, { fd, turn }).catch((cause: unknown) => {
        abandon();
        throw cause;
      });
      for (const [at, { first, part }] of share.entries()) {
        for (const [which, { start }] of part.wanted.entries()) {
          watching?.watcher.show(first + start, shown[at]?.[which] as Uint8Array);
        }
      }
    }),
  );
  const failures = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  if (failures.length > 0) throw failures.find((one) => one.code !== ABANDONED) ?? failures[0];
}

/** All results, or the first error once every part has ended: files may be closed then. */
async function settled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const ended = await Promise.allSettled(promises);
  return ended.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

function fileOf({ file, label }: Stored): FilePlace {
  if (file === undefined) throw new CompressError('internal', label, 'threads can read files only');
  return file;
}

function moved(place: FilePlace, by: number): FilePlace {
  return { ...place, position: place.position + by };
}

/** Arenas that no computation uses; each has a few MiB. */
const idle: Arena[] = [];

/** Runs a part in this thread, reading asynchronously. Yields the bytes of the result in order, each good until the next. */
export async function* runHere<Kind extends Job['kind']>(
  stored: Stored,
  { job, start }: Part<Kind>,
): AsyncGenerator<Uint8Array, Results[Kind], void> {
  const arena = idle.pop() ?? new Arena();
  const mark = arena.mark();
  try {
    const steps = stepsOf(job, arena);
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value as Results[Kind];
      if (step.value.kind === 'read') await stored.readInto(step.value.bytes, start + step.value.at);
      else yield step.value.bytes;
    }
  } finally {
    arena.release(mark);
    idle.push(arena);
  }
}
