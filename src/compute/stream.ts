import type { FilePlace, Stored, Streamed } from '../ir/tensor.ts';
import { type Part, runHere, writeParts } from './run.ts';
import { threadsFor } from './work.ts';

/** A computation that can be cut into parts, as a stream of its result. */
export function streamOf<Kind extends 'quantize' | 'transpose' | 'zero' | 'copy'>(
  stored: Stored,
  cutInto: (count: number) => readonly Part<Kind>[],
): Streamed {
  return {
    async *chunks() {
      for (const part of cutInto(1)) yield* runHere(stored, part);
    },
    inThreads: () => threadsFor(stored) > 1,
    async writeTo(place: FilePlace) {
      await writeParts(stored, cutInto(threadsFor(stored)), place);
    },
  };
}
