import { write } from 'node:fs';
import { setImmediate as breath } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Place } from '../../bytes/stored.ts';
import { begin } from '../../compute/here.ts';
import type { Job } from '../../compute/jobs.ts';
import type { Arena } from '../../kernels/simd/arena.ts';
import type { Step } from '../../kernels/steps.ts';
import { MOST_HELD, type OrderedOutcome, OrderedResult, type OrderedTask, Turn } from './ordered.ts';
import { Failure, failed, type Outcome, readPlace, writePlace } from './transfer.ts';
import type { Task } from './worker.ts';

/** Milliseconds of work after which signals and messages of other threads get a turn. */
const SLICE = 4;

const writeLater = promisify(write);

/** Time of their last turn. */
let breathed = 0;

/** Free buffers of {@link MOST_HELD} bytes. */
const buffers: Uint8Array[] = [];

/** Runs steps in this thread; `move` transfers what they read and write. */
async function perform(job: Job, move: (step: Step, arena: Arena) => Promise<void> | undefined): Promise<unknown> {
  const { arena, steps, end } = begin(job);
  try {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      const moving = move(step.value, arena);
      if (moving !== undefined) await moving;
      else if (performance.now() - breathed < SLICE) continue;
      else await breath();
      breathed = performance.now();
    }
  } finally {
    end();
  }
}

/** As `run` of worker.ts, in this thread: files are read and written synchronously, a piece at a time. */
export async function runHere({ job, from, to }: Task): Promise<Outcome> {
  try {
    const result = await perform(job, ({ kind, bytes, at }, arena) => {
      if (kind === 'read') readPlace(from, bytes, at, arena);
      else writePlace(to as Place, bytes, at);
      return undefined;
    });
    return { result };
  } catch (cause) {
    return failed(cause);
  }
}

/**
 * As `run` of worker.ts, in this thread. It never blocks, neither for its turn nor for the reader of a pipe, because
 * other work waits for it.
 */
export async function runOrderedHere({ parts, to }: OrderedTask): Promise<Outcome> {
  const turn = new Turn(to.turn);
  const held = buffers.pop() ?? new Uint8Array(MOST_HELD);
  const outcomes: OrderedOutcome[] = [];
  try {
    for (const part of parts) {
      const written = new OrderedResult(part, held);
      const send = async (bytes: Uint8Array): Promise<void> => {
        await turn.waitAsync(part.index);
        await writeNextLater(to.fd, bytes);
      };
      const result = await perform(part.job, ({ kind, bytes, at }, arena) => {
        if (kind === 'write') {
          const ready = written.take(bytes, at);
          return ready && send(ready);
        }
        readPlace(part.from, bytes, at, arena);
        return undefined;
      });
      await turn.waitAsync(part.index);
      turn.pass(part.index);
      outcomes.push({ result, shown: written.shown });
    }
    return { result: outcomes };
  } catch (cause) {
    return failed(cause);
  } finally {
    buffers.push(held);
  }
}

async function writeNextLater(fd: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await writeLater(fd, bytes, done, bytes.length - done, null).catch((cause: unknown) => {
      throw new Failure('write', cause);
    });
    done += bytesWritten;
  }
}
