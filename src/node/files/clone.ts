import { constants } from 'node:fs';
import { chmod, copyFile, type FileHandle, open, unlink } from 'node:fs/promises';
import { becameShorter, type Source } from '../../bytes/source.ts';

/** What can go wrong with a copy that would go wrong with writing, too. */
const FATAL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO']);

/** A file that took the place of another one. */
export interface Clone {
  readonly handle: FileHandle;
  /** Whether it is the copy; else it is empty, because the system has no such copy. */
  readonly copied: boolean;
}

/**
 * Copies a whole file by `copy_file_range`, sharing its blocks where the file system can.
 *
 * The copy is a new file in the place of the one at `path`: Node would first cut an old one to nothing, and ext4, which
 * takes that for the replacement of a file, then waits at the end until all of it has found its place on the disk.
 * @param path - a file of this process that exists
 * @param mode - its permissions, and those of the copy
 * @returns undefined if nothing was tried, and the file at `path` is the same as before
 * @throws CompressError `io` if the source became shorter; an error of the system
 */
export async function cloneFile(source: Source, path: string, mode: number): Promise<Clone | undefined> {
  // Linux names an open file by its descriptor; a path may lead to another one by now.
  if (process.platform !== 'linux' || source.files?.fd === undefined) return undefined;
  let handle: FileHandle | undefined;
  try {
    await unlink(path);
    const copied = await copyFile(`/proc/self/fd/${source.files.fd}`, path, EXCLUSIVE).then(
      () => true,
      (cause: NodeJS.ErrnoException) => {
        if (FATAL.has(cause.code ?? '')) throw cause;
        return false;
      },
    );
    // The copy brings the permissions of the original, which may not let us write.
    if (copied) await chmod(path, 0o600);
    handle = await open(path, copied ? 'r+' : 'w+', 0o600);
    await handle.chmod(mode);
    const { size } = await handle.stat();
    if (copied && size < source.byteLength) throw becameShorter(source);
    if (copied && size > source.byteLength) await handle.truncate(source.byteLength);
    return { handle, copied };
  } catch (cause) {
    await handle?.close();
    throw cause;
  }
}

/** Never over a file that exists: see {@link cloneFile}. */
const EXCLUSIVE = constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL;
