import type { Stored, Streamed } from '../bytes/stored.ts';
import { isLarge, type Part, type WritingKind } from './executor.ts';
import { fileExecutorOf, streamHere } from './here.ts';

/**
 * A computation that can be cut into parts, as a stream of its result.
 * @param byteLength - of the result
 * @param cutInto - at most so many parts, each of which writes from where the one before ends
 */
export function streamOf<Kind extends WritingKind>(
  stored: Stored,
  byteLength: number,
  cutInto: (count: number) => readonly Part<Kind>[],
): Streamed {
  return {
    async *chunks() {
      for (const { job, start } of cutInto(1)) yield* streamHere(stored, job, start);
    },
    fromFile: () => isLarge(stored),
    writeTo: (target) => fileExecutorOf(stored).write(stored, cutInto, byteLength, target),
  };
}
