import { type FileHandle, open } from 'node:fs/promises';
import { ioError } from '../../errors.ts';
import { clearTemporaryFolder } from './leftovers.ts';
import { removeAtExit, temporaries, temporaryPath } from './temporary.ts';

/**
 * Creates a file in the system's temporary folder, for this user only, after cleaning up what killed runs left. It is
 * removed when the process ends, if not earlier.
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
