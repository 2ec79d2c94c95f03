import { setImmediate as breath } from 'node:timers/promises';
import type { Place } from '../../bytes/stored.ts';
import { type Job, stepsOf } from '../../compute/jobs.ts';
import { Arena } from '../../kernels/simd/arena.ts';
import { perform, type Transfer } from '../../kernels/steps.ts';
import { MOST_HELD, type OrderedOutcome, OrderedResult, type OrderedTask, Turn } from './ordered.ts';
import { failed, type Outcome, readPlace, writeNext, writePlace } from './transfer.ts';

/** A job, and where its bytes come from and go to. Descriptors are those of the process; threads share them. */
export interface Task {
  readonly job: Job;
  readonly from: Place;
  readonly to: Place | undefined;
}

let arena: Arena | undefined;
let held: Uint8Array | undefined;

/**
 * Runs one task in this thread, which reads and writes the bytes itself. The result of an ordered task is the requested
 * pieces, by part. Without a task it reports that the thread is ready.
 */
export async function run(task?: Task | OrderedTask): Promise<Outcome> {
  // If two tasks arrive together, report the outcome of the first before the second begins.
  await breath();
  try {
    if (task === undefined) return { result: undefined };
    return { result: 'job' in task ? single(task) : ordered(task) };
  } catch (cause) {
    return failed(cause);
  }
}

function single({ job, from, to }: Task): unknown {
  return performed(job, from, (bytes, at) => writePlace(to as Place, bytes, at));
}

function ordered({ parts, to }: OrderedTask): readonly OrderedOutcome[] {
  const turn = new Turn(to.turn);
  held ??= new Uint8Array(MOST_HELD);
  const own = held;
  return parts.map((part) => {
    const written = new OrderedResult(part, own);
    const result = performed(part.job, part.from, (bytes, at) => {
      const ready = written.take(bytes, at);
      if (ready === undefined) return;
      turn.wait(part.index);
      writeNext(to.fd, ready);
    });
    turn.wait(part.index);
    turn.pass(part.index);
    return { result, shown: written.shown };
  });
}

function performed(job: Job, from: Place, written: Transfer): unknown {
  arena ??= new Arena();
  const own = arena;
  const mark = own.mark();
  try {
    return perform(stepsOf(job, own), (bytes, at) => readPlace(from, bytes, at, own), written);
  } finally {
    own.release(mark);
  }
}
