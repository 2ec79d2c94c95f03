import { readSync, writeSync } from 'node:fs';
import type { Place } from '../../bytes/stored.ts';
import type { Arena } from '../../kernels/simd/arena.ts';

/** The outcome of a task. Errors would lose their codes between threads, so they are sent as data. */
export type Outcome =
  | { readonly result: unknown }
  | { readonly failed: 'read' | 'write'; readonly message: string; readonly code: string | undefined };

/** A read or write that failed. */
export class Failure extends Error {
  readonly side: 'read' | 'write';

  constructor(side: 'read' | 'write', cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.side = side;
  }
}

/** The outcome of a failure. @throws any other error */
export function failed(cause: unknown): Outcome {
  if (!(cause instanceof Failure)) throw cause;
  const code = (cause.cause as NodeJS.ErrnoException | undefined)?.code;
  return { failed: cause.side, message: cause.message, code };
}

/** Fills `bytes`, which are in the arena, from byte `at` of a place on; some elements are read as zero. */
export function readPlace(from: Place, bytes: Uint8Array, at: number, arena: Arena): void {
  const { fd, position } = from;
  for (let done = 0; done < bytes.length; ) {
    const count = guarded('read', () => readSync(fd, bytes, done, bytes.length - done, position + at + done));
    if (count === 0) throw new Failure('read', new Error('the file became shorter while it was being read'));
    done += count;
  }
  zero(from, bytes, at, arena);
}

/** Writes at byte `at` of a place. */
export function writePlace({ fd, position }: Place, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += guarded('write', () => writeSync(fd, bytes, done, bytes.length - done, position + at + done));
  }
}

/** Writes at the current position. */
export function writeNext(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += guarded('write', () => writeSync(fd, bytes, done, bytes.length - done, null));
  }
}

function zero({ position, zeroed }: Place, bytes: Uint8Array, at: number, { kernels }: Arena): void {
  if (zeroed === undefined) return;
  const elements = bytes.length / 4;
  const ties = Math.max(0, Math.min(elements, (zeroed.until - position - at) / 4));
  if (!Number.isInteger(elements) || !Number.isInteger(ties)) throw new RangeError('elements were cut');
  if (ties > 0) kernels.zeroBelow(bytes.byteOffset, ties, zeroed.below, ties);
  if (ties < elements) kernels.zeroBelow(bytes.byteOffset + 4 * ties, elements - ties, zeroed.below, 0);
}

function guarded(side: 'read' | 'write', call: () => number): number {
  try {
    return call();
  } catch (cause) {
    throw new Failure(side, cause);
  }
}
