import { readSync } from 'node:fs';
import type { Place, Stored, WriteTarget } from '../../bytes/stored.ts';
import type { Part, WritingKind } from '../../compute/executor.ts';
import type { Job, JobOf, Results } from '../../compute/jobs.ts';
import { CompressError } from '../../errors.ts';
import { crewSize, perform, performTogether } from './crew.ts';
import { runHere } from './here.ts';
import { ABANDONED, type OrderedOutcome, Turn } from './ordered.ts';
import type { Outcome } from './transfer.ts';
import { isShared, threadsFor } from './work.ts';
import type { Task } from './worker.ts';

/** Bytes per part if parts are written in order: one is computed while the previous one is written. */
const ORDERED: number = 1 << 20;

/** As `run` of {@link FileExecutor}. */
export function runParts<Kind extends Job['kind']>(
  stored: Stored,
  parts: readonly Part<Kind>[],
): Promise<Results[Kind][]> {
  const file = fileOf(stored);
  const run = isShared(stored) ? perform : runHere;
  return settled(parts.map(({ job, start }) => done(run, { job, from: moved(file, start), to: undefined }, stored)));
}

/** As `runAlone` of {@link FileExecutor}. */
export function runAlone<Kind extends Job['kind']>(stored: Stored, job: JobOf<Kind>): Promise<Results[Kind]> {
  return done(perform, { job, from: fileOf(stored), to: undefined }, stored);
}

/** As `write` of {@link FileExecutor}. */
export async function write<Kind extends WritingKind>(
  stored: Stored,
  cutInto: (count: number) => readonly Part<Kind>[],
  byteLength: number,
  target: WriteTarget,
): Promise<Results[Kind][]> {
  const { fd, position } = target;
  if (position === undefined) {
    return writeInOrder(stored, cutInto(Math.ceil(byteLength / ORDERED)), byteLength, target);
  }
  const results = await writeParts(stored, cutInto(threadsFor(stored)), { fd, position });
  show(target, position, byteLength);
  return results;
}

/** Passes the requested bytes to the watcher. */
function show({ fd, watching }: WriteTarget, position: number, byteLength: number): void {
  if (watching === undefined) return;
  const { watcher, start: first } = watching;
  for (const piece of watcher.wanted(first, byteLength)) {
    const bytes = new Uint8Array(piece.byteLength);
    const count = readSync(fd, bytes, 0, bytes.length, position + piece.start - first);
    watcher.show(piece.start, bytes.subarray(0, count));
  }
}

/** Runs parts that write their results to a file, in parallel if there are threads for them. */
async function writeParts<Kind extends Job['kind']>(
  stored: Stored,
  parts: readonly Part<Kind>[],
  to: Place,
): Promise<Results[Kind][]> {
  const file = fileOf(stored);
  const tasks = parts.map(({ job, start, at }) => ({ job, from: moved(file, start), to: moved(to, at) }));
  return settled(tasks.map((task) => done<Kind>(perform, task, stored)));
}

/**
 * Runs parts in threads that write their results in the order of the parts. Each of two threads has every second part:
 * it computes one while the other writes.
 * @param byteLength - total bytes written
 */
async function writeInOrder<Kind extends Job['kind']>(
  stored: Stored,
  parts: readonly Part<Kind>[],
  byteLength: number,
  { fd, watching }: WriteTarget,
): Promise<Results[Kind][]> {
  const file = fileOf(stored);
  const turn = new SharedArrayBuffer(4);
  const all = parts.map(({ job, start, at }, index) => {
    const first = (watching?.start ?? 0) + at;
    const length = (parts[index + 1]?.at ?? byteLength) - at;
    const wanted = watching?.watcher.wanted(first, length) ?? [];
    const own = wanted.map((piece) => ({ ...piece, start: piece.start - first }));
    return { first, part: { job, from: moved(file, start), index, byteLength: length, wanted: own } };
  });
  const threads = Math.min(crewSize(), parts.length);
  const shares = Array.from({ length: threads }, (_, thread) => all.filter((__, index) => index % threads === thread));
  const running = performTogether(shares.map((share) => ({ parts: share.map(({ part }) => part), to: { fd, turn } })));
  const results: Results[Kind][] = [];
  const ended = await Promise.allSettled(
    running.map(async (outcome, which) => {
      const made = await resultOf(outcome, stored.label).catch((cause: unknown) => {
        new Turn(turn).abandon();
        throw cause;
      });
      for (const [at, { first, part }] of (shares[which] ?? []).entries()) {
        const { result, shown } = (made as OrderedOutcome[])[at] as OrderedOutcome;
        results[part.index] = result as Results[Kind];
        for (const [piece, { start }] of part.wanted.entries()) {
          watching?.watcher.show(first + start, shown[piece] as Uint8Array);
        }
      }
    }),
  );
  const failures = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  if (failures.length > 0) throw failures.find((one) => one.code !== ABANDONED) ?? failures[0];
  return results;
}

async function done<Kind extends Job['kind']>(
  run: (task: Task) => Promise<Outcome>,
  task: Task,
  { label }: Stored,
): Promise<Results[Kind]> {
  return (await resultOf(run(task), label)) as Results[Kind];
}

/**
 * @param label - what errors call the file that is read
 * @throws CompressError `io` if reading failed; an error with the system's `code` if writing did, to be named by a
 * caller that knows the file
 */
async function resultOf(task: Promise<Outcome>, label: string): Promise<unknown> {
  const outcome = await task;
  if ('result' in outcome) return outcome.result;
  if (outcome.failed === 'write') throw Object.assign(new Error(outcome.message), { code: outcome.code });
  throw new CompressError('io', label, outcome.message);
}

/** All results, or the first error after every part has ended, because the caller may then close files. */
async function settled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const ended = await Promise.allSettled(promises);
  return ended.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

function fileOf({ file, label }: Stored): Place {
  if (file === undefined) throw new CompressError('internal', label, 'threads can read only files');
  return file;
}

function moved(place: Place, by: number): Place {
  return { ...place, position: place.position + by };
}
