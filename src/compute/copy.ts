import type { Stored, Streamed } from '../bytes/stored.ts';
import { spans } from '../kernels/slices.ts';
import { streamOf } from './stream.ts';

const WORD = 4;

/** The bytes as they are stored in a file of the model. */
export function copied(stored: Stored): Streamed {
  return { ...copiedFrom(stored), place: async () => stored.file };
}

/** The same for any file. */
export function copiedFrom(stored: Stored): Streamed {
  const { byteLength } = stored;
  return streamOf<'copy'>(stored, byteLength, (count) =>
    // Cut at whole words: only whole elements can be known to be zero.
    spans(Math.ceil(byteLength / WORD), count).map(({ start, length }) => ({
      job: { kind: 'copy', byteLength: Math.min(length * WORD, byteLength - start * WORD) },
      start: start * WORD,
      at: start * WORD,
    })),
  );
}
