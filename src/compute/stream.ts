import type { Stored, Streamed } from '../bytes/stored.ts';
import { isLarge, type Part, type WritingKind } from './executor.ts';
import { fileExecutorOf, streamHere } from './here.ts';
import type { Results } from './jobs.ts';

/**
 * A computation that can be cut into parts, as a stream of its result.
 * @param byteLength - of the result
 * @param cutInto - maximum number of parts; each writes from where the previous one ends
 * @param onResult - receives the other results of each part
 */
export function streamOf<Kind extends WritingKind>(
  stored: Stored,
  byteLength: number,
  cutInto: (count: number) => readonly Part<Kind>[],
  onResult: (result: Results[Kind]) => void = () => {},
): Streamed {
  return {
    async *chunks() {
      for (const { job, start } of cutInto(1)) onResult(yield* streamHere<Kind>(stored, job, start));
    },
    fromFile: () => isLarge(stored),
    async writeTo(target) {
      for (const one of await fileExecutorOf(stored).write(stored, cutInto, byteLength, target)) onResult(one);
    },
  };
}
