import { readSync, writeSync } from 'node:fs';
import type { FilePlace } from '../ir/tensor.ts';
import { Arena } from '../kernels/simd/arena.ts';
import { perform } from '../kernels/steps.ts';
import { type Job, stepsOf } from './jobs.ts';

/** A job with where its bytes lie and go. Descriptors are those of the process: threads share them. */
export interface Task {
  readonly job: Job;
  readonly from: FilePlace;
  readonly to: FilePlace | undefined;
}

/** What became of a task: errors lose their codes on the way between threads, so they are told as data. */
export type Outcome =
  | { readonly result: unknown }
  | { readonly failed: 'read' | 'write'; readonly message: string; readonly code: string | undefined };

/** A read or write that failed. */
class Failure extends Error {
  readonly side: 'read' | 'write';

  constructor(side: 'read' | 'write', cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.side = side;
  }
}

let arena: Arena | undefined;

/** Runs one task in this thread, its bytes read and written by the thread itself. */
export function run({ job, from, to }: Task): Outcome {
  arena ??= new Arena();
  const mark = arena.mark();
  try {
    const result = perform(
      stepsOf(job, arena),
      (bytes, at) => read(from, bytes, at),
      (bytes, at) => write(to as FilePlace, bytes, at),
    );
    return { result };
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    const code = (cause.cause as NodeJS.ErrnoException | undefined)?.code;
    return { failed: cause.side, message: cause.message, code };
  } finally {
    arena.release(mark);
  }
}

function read({ fd, position }: FilePlace, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    const count = guarded('read', () => readSync(fd, bytes, done, bytes.length - done, position + at + done));
    if (count === 0) throw new Failure('read', new Error('the file became shorter while it was read'));
    done += count;
  }
}

function write({ fd, position }: FilePlace, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += guarded('write', () => writeSync(fd, bytes, done, bytes.length - done, position + at + done));
  }
}

function guarded(side: 'read' | 'write', call: () => number): number {
  try {
    return call();
  } catch (cause) {
    throw new Failure(side, cause);
  }
}
