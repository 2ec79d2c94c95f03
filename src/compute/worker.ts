import { readSync, writeSync } from 'node:fs';
import type { FilePlace, Piece } from '../ir/tensor.ts';
import { Arena } from '../kernels/simd/arena.ts';
import { perform } from '../kernels/steps.ts';
import { type Job, stepsOf } from './jobs.ts';

/** A job with where its bytes lie and go. Descriptors are those of the process: threads share them. */
export interface Task {
  readonly job: Job;
  readonly from: FilePlace;
  readonly to: FilePlace | OrderedPlace | undefined;
}

/** Where tasks write one after the other, each behind what the one before wrote. */
export interface OrderedPlace {
  readonly fd: number;
  /** Whose turn it is, an Int32; below 0 when nobody is to write any more. */
  readonly turn: SharedArrayBuffer;
  /** The turn of this task. */
  readonly index: number;
  /** What of the result comes back with it. */
  readonly wanted: readonly Piece[];
}

/** What became of a task: errors lose their codes on the way between threads, so they are told as data. */
export type Outcome =
  | { readonly result: unknown; readonly shown?: readonly Uint8Array[] }
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
  const own = arena;
  const mark = arena.mark();
  try {
    const ordered = to !== undefined && 'turn' in to ? new Ordered(to) : undefined;
    const result = perform(
      stepsOf(job, arena),
      (bytes, at) => {
        read(from, bytes, at);
        zero(from, bytes, at, own);
      },
      (bytes, at) => (ordered === undefined ? write(to as FilePlace, bytes, at) : ordered.write(bytes, at)),
    );
    return ordered === undefined ? { result } : { result, shown: ordered.end() };
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    const code = (cause.cause as NodeJS.ErrnoException | undefined)?.code;
    return { failed: cause.side, message: cause.message, code };
  } finally {
    arena.release(mark);
  }
}

/** Writes in turn. What is computed before the first write is computed while others write. */
class Ordered {
  readonly #place: OrderedPlace;
  readonly #turn: Int32Array;
  readonly #shown: Uint8Array[];

  constructor(place: OrderedPlace) {
    this.#place = place;
    this.#turn = new Int32Array(place.turn);
    this.#shown = place.wanted.map(({ byteLength }) => new Uint8Array(byteLength));
  }

  write(bytes: Uint8Array, at: number): void {
    this.#wait();
    for (const [index, { start, byteLength }] of this.#place.wanted.entries()) {
      const [first, end] = [Math.max(start, at), Math.min(start + byteLength, at + bytes.length)];
      if (first < end) this.#shown[index]?.set(bytes.subarray(first - at, end - at), first - start);
    }
    for (let done = 0; done < bytes.length; ) {
      done += guarded('write', () => writeSync(this.#place.fd, bytes, done, bytes.length - done, null));
    }
  }

  /** Gives the turn to the next one. */
  end(): readonly Uint8Array[] {
    this.#wait();
    Atomics.store(this.#turn, 0, this.#place.index + 1);
    Atomics.notify(this.#turn, 0);
    return this.#shown;
  }

  #wait(): void {
    for (;;) {
      const now = Atomics.load(this.#turn, 0);
      if (now === this.#place.index) return;
      if (now < 0) throw new Failure('write', Object.assign(new Error('another part failed'), { code: ABANDONED }));
      Atomics.wait(this.#turn, 0, now);
    }
  }
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
