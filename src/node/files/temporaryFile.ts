import { type FileHandle, open } from 'node:fs/promises';
import { ioError } from '../../errors.ts';
import { clearTemporaryFolder } from './leftovers.ts';
import { removeAtExit, temporaries, temporaryPath } from './temporary.ts';

/**
 * Makes a file in the system's folder for temporary ones, for this user only, after clearing up what killed runs left
 * there. It goes when the process ends, at the latest.
 * @throws CompressError `io`
 */
export async function openTemporary(tag?: string): Promise<{ readonly handle: FileHandle; readonly path: string }> {
  await clearTemporaryFolder();
  const path = temporaryPath(tag);
  removeAtExit(path);
  const handle = await open(path, 'wx+', 0o600).catch((cause: unknown) => {
    temporaries.delete(path);
    throw ioError(path, cause);
  });
  return { handle, path };
}
