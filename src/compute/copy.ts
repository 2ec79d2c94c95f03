import type { Stored, Streamed } from '../ir/tensor.ts';
import { spans } from '../kernels/slices.ts';
import { streamOf } from './stream.ts';

/** The bytes as they lie. */
export function copied(stored: Stored): Streamed {
  const stream = streamOf<'copy'>(stored, stored.byteLength, (count) =>
    spans(stored.byteLength, count).map(({ start, length }) => ({
      job: { kind: 'copy', byteLength: length },
      start,
      at: start,
    })),
  );
  return { ...stream, place: async () => stored.file };
}
