import { constants, fstatSync } from 'node:fs';
import { type FileHandle, open, stat as statOf } from 'node:fs/promises';
import type { Source } from '../../bytes/source.ts';
import { ioError } from '../../errors.ts';
import { handleSource } from './handle.ts';

/**
 * A source over a regular file.
 * @param flags - further flags for opening it
 * @throws CompressError `io` if the path cannot be opened or is not a regular file (a folder, FIFO or device)
 */
export async function fileSource(path: string, label: string = path, flags = 0): Promise<Source> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK, because opening a FIFO without a writer would otherwise hang before its type is known.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | flags);
  } catch (cause) {
    throw ioError(label, cause);
  }
  try {
    return await handleSource(handle, label, path);
  } catch (cause) {
    await handle.close();
    throw ioError(label, cause);
  }
}

/** Whether a source's open file is the one that a path leads to now. */
export async function isAt({ files }: Pick<Source, 'files'>, path: string): Promise<boolean> {
  const fd = files?.fd;
  const there = fd === undefined ? undefined : await statOf(path).catch(() => undefined);
  if (fd === undefined || there === undefined) return false;
  const { ino, dev } = fstatSync(fd);
  return there.ino === ino && there.dev === dev;
}
