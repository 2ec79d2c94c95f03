import { stat } from 'node:fs/promises';
import type { Source } from '../bytes/source.ts';
import { CompressError } from '../errors.ts';
import type { Model } from '../ir/model.ts';
import { readModel } from '../node/model.ts';

/** Opens a model from a pipe. If it ends early, the previous command has probably failed. */
export function openSource(source: Source): Promise<Model> {
  return readModel(source).catch((cause: unknown) => {
    if (!(cause instanceof CompressError) || cause.kind !== 'cut_off') throw cause;
    throw new CompressError('malformed', '', cause.message, {
      hint: 'The model is incomplete: did the previous command in the pipe fail?',
      cause,
    });
  });
}

/** Opens a file; the error for a named pipe says how to read one. */
export function openPath(path: string): Promise<Model> {
  return readModel(path).catch(async (cause: unknown) => {
    const fifo = await stat(path).then(
      (found) => found.isFIFO(),
      () => false,
    );
    if (!fifo) throw cause;
    throw new CompressError('io', path, 'is a pipe, not a regular file', {
      hint: `Give it as standard input: < ${path}`,
    });
  });
}
