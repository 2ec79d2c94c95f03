import { readSync, writeSync } from 'node:fs';
import type { FilePlace, Piece } from '../ir/tensor.ts';
import { Arena } from '../kernels/simd/arena.ts';
import { perform, type Transfer } from '../kernels/steps.ts';
import { type Job, stepsOf } from './jobs.ts';

/** A job with where its bytes lie and go. Descriptors are those of the process: threads share them. */
export interface Task {
  readonly job: Job;
  readonly from: FilePlace;
  readonly to: FilePlace | undefined;
}

/** Jobs of one thread, whose results go behind each other and between those of other threads. */
export interface OrderedTask {
  readonly parts: readonly OrderedPart[];
  readonly to: OrderedPlace;
}

/** One of them. */
export interface OrderedPart {
  readonly job: Job;
  readonly from: FilePlace;
  /** Its turn. */
  readonly index: number;
  /** Of its result. */
  readonly byteLength: number;
  /** What of the result comes back. */
  readonly wanted: readonly Piece[];
}

/** Where threads write in turn. */
export interface OrderedPlace {
  readonly fd: number;
  /** Whose turn it is, an Int32; below 0 when nobody is to write any more. */
  readonly turn: SharedArrayBuffer;
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

/** Runs one task in this thread, its bytes read and written by the thread itself. Of an ordered one the result is what was wanted, part by part. */
export function run(task: Task | OrderedTask): Outcome {
  try {
    if ('job' in task) return { result: performed(task, (bytes, at) => write(task.to as FilePlace, bytes, at)) };
    const shown = task.parts.map((part) => {
      const ordered = new Ordered(task.to, part);
      performed(part, (bytes, at) => ordered.write(bytes, at));
      return ordered.end();
    });
    return { result: shown };
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    const code = (cause.cause as NodeJS.ErrnoException | undefined)?.code;
    return { failed: cause.side, message: cause.message, code };
  }
}

function performed({ job, from }: Pick<Task, 'job' | 'from'>, written: Transfer): unknown {
  arena ??= new Arena();
  const own = arena;
  const mark = own.mark();
  try {
    return perform(
      stepsOf(job, own),
      (bytes, at) => {
        read(from, bytes, at);
        zero(from, bytes, at, own);
      },
      written,
    );
  } finally {
    own.release(mark);
  }
}

/** Results of at most so many bytes are written at once, when all of them are there. */
const MOST_HELD: number = 2 << 20;
let held = new Uint8Array(0);

/** Writes in turn. A short result is computed while others write; of a longer one, what comes before its first write. */
class Ordered {
  readonly #fd: number;
  readonly #part: OrderedPart;
  readonly #turn: Int32Array;
  readonly #shown: Uint8Array[];

  constructor({ fd, turn }: OrderedPlace, part: OrderedPart) {
    this.#fd = fd;
    this.#part = part;
    this.#turn = new Int32Array(turn);
    this.#shown = part.wanted.map(({ byteLength }) => new Uint8Array(byteLength));
  }

  write(bytes: Uint8Array, at: number): void {
    const { byteLength } = this.#part;
    if (bytes.length === byteLength || byteLength > MOST_HELD) {
      this.#send(bytes, at);
      return;
    }
    if (held.length < byteLength) held = new Uint8Array(MOST_HELD);
    held.set(bytes, at);
    if (at + bytes.length === byteLength) this.#send(held.subarray(0, byteLength), 0);
  }

  #send(bytes: Uint8Array, at: number): void {
    this.#wait();
    for (const [index, { start, byteLength }] of this.#part.wanted.entries()) {
      const [first, end] = [Math.max(start, at), Math.min(start + byteLength, at + bytes.length)];
      if (first < end) this.#shown[index]?.set(bytes.subarray(first - at, end - at), first - start);
    }
    for (let done = 0; done < bytes.length; ) {
      done += guarded('write', () => writeSync(this.#fd, bytes, done, bytes.length - done, null));
    }
  }

  /** Gives the turn to the next one. */
  end(): readonly Uint8Array[] {
    this.#wait();
    const { index } = this.#part;
    // Not over what says that nobody is to write any more.
    if (Atomics.compareExchange(this.#turn, 0, index, index + 1) !== index) throw abandoned();
    Atomics.notify(this.#turn, 0);
    return this.#shown;
  }

  #wait(): void {
    for (;;) {
      const now = Atomics.load(this.#turn, 0);
      if (now === this.#part.index) return;
      if (now < 0) throw abandoned();
      Atomics.wait(this.#turn, 0, now);
    }
  }
}

function abandoned(): Failure {
  return new Failure('write', Object.assign(new Error('another part failed'), { code: ABANDONED }));
}

/** The code of a write that did not happen because an earlier one had failed. */
export const ABANDONED = 'ECANCELED';

function read({ fd, position }: FilePlace, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    const count = guarded('read', () => readSync(fd, bytes, done, bytes.length - done, position + at + done));
    if (count === 0) throw new Failure('read', new Error('the file became shorter while it was read'));
    done += count;
  }
}

/** Makes zeros of what stands for them, in bytes of the arena. */
function zero({ position, zeroed }: FilePlace, bytes: Uint8Array, at: number, { kernels }: Arena): void {
  if (zeroed === undefined) return;
  const elements = bytes.length / 4;
  const ties = Math.max(0, Math.min(elements, (zeroed.until - position - at) / 4));
  if (!Number.isInteger(elements) || !Number.isInteger(ties)) throw new RangeError('elements were cut');
  if (ties > 0) kernels.zeroBelow(bytes.byteOffset, ties, zeroed.below, ties);
  if (ties < elements) kernels.zeroBelow(bytes.byteOffset + 4 * ties, elements - ties, zeroed.below, 0);
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
