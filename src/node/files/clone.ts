import { constants } from 'node:fs';
import { chmod, copyFile, type FileHandle, open, unlink } from 'node:fs/promises';
import { becameShorter, type Source } from '../../bytes/source.ts';

/** Errors of a copy that would also occur when writing. */
const FATAL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO']);

/** A file that replaced another one. */
export interface Clone {
  readonly handle: FileHandle;
  /** Whether it is the copy; otherwise it is empty, because the system does not support such copies. */
  readonly copied: boolean;
}

/**
 * Copies a whole file with `copy_file_range`, sharing its blocks if the file system can.
 *
 * The copy is a new file that replaces the one at `path`. Node would truncate an existing file first; ext4 takes that
 * for the replacement of a file, and then blocks at the end until everything is allocated on the disk.
 * @param path - an existing file of this process
 * @param mode - its permissions, and those of the copy
 * @returns undefined if nothing was tried, and the file at `path` is unchanged
 * @throws CompressError `io` if the source became shorter; an error of the system
 */
export async function cloneFile(source: Source, path: string, mode: number): Promise<Clone | undefined> {
  // Linux can name an open file by its descriptor; its path may lead to another file by now.
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
    // The copy has the permissions of the original, which may not allow writing.
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
