import type { Stored, Streamed } from '../bytes/stored.ts';
import { spans } from '../kernels/slices.ts';
import { streamOf } from './stream.ts';

const WORD = 4;

/** The bytes as they lie. */
export function copied(stored: Stored): Streamed {
  const { byteLength } = stored;
  const stream = streamOf<'copy'>(stored, byteLength, (count) =>
    // Whole words: of zeros only whole elements are known.
    spans(Math.ceil(byteLength / WORD), count).map(({ start, length }) => ({
      job: { kind: 'copy', byteLength: Math.min(length * WORD, byteLength - start * WORD) },
      start: start * WORD,
      at: start * WORD,
    })),
  );
  return { ...stream, place: async () => stored.file };
}
