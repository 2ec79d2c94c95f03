import { readSync } from 'node:fs';
import type { Stored, Streamed, WriteTarget } from '../bytes/stored.ts';
import { streamHere } from './here.ts';
import { type Part, writeInOrder, writeParts } from './run.ts';
import { isLarge, threadsFor } from './work.ts';

/** Bytes that a part of those that are written one behind the other gives: it is computed while the one before is written. */
const ORDERED: number = 1 << 20;

/** Shows what is wanted of bytes that are written. */
function show({ fd, watching }: WriteTarget, position: number, byteLength: number): void {
  if (watching === undefined) return;
  const { watcher, start: first } = watching;
  for (const piece of watcher.wanted(first, byteLength)) {
    const bytes = new Uint8Array(piece.byteLength);
    const count = readSync(fd, bytes, 0, bytes.length, position + piece.start - first);
    watcher.show(piece.start, bytes.subarray(0, count));
  }
}

/**
 * A computation that can be cut into parts, as a stream of its result.
 * @param byteLength - of the result
 * @param cutInto - at most so many parts, each of which writes from where the one before ends
 */
export function streamOf<Kind extends 'quantize' | 'transpose' | 'zero' | 'copy'>(
  stored: Stored,
  byteLength: number,
  cutInto: (count: number) => readonly Part<Kind>[],
): Streamed {
  return {
    async *chunks() {
      for (const { job, start } of cutInto(1)) yield* streamHere(stored, job, start);
    },
    fromFile: () => isLarge(stored),
    async writeTo(target: WriteTarget) {
      const { fd, position } = target;
      if (position === undefined) {
        return writeInOrder(stored, cutInto(Math.ceil(byteLength / ORDERED)), byteLength, target);
      }
      await writeParts(stored, cutInto(threadsFor(stored)), { fd, position });
      show(target, position, byteLength);
    },
  };
}
