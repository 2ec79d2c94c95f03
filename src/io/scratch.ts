import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { CompressError, ioError } from '../errors.ts';
import { type TemporaryFolder, temporaryFolder } from './temporary.ts';

/** Bytes put aside in a temporary file. It goes with `close()`, at the latest when the process exits. */
export interface ScratchFile {
  /**
   * Writes a copy at the end of the file.
   * @returns reads it again
   * @throws CompressError `io`
   */
  keep(bytes: Uint8Array): Promise<() => Promise<Uint8Array>>;
  close(): Promise<void>;
}

/** A scratch file, made when it is first needed. */
export function scratchFile(): ScratchFile {
  let opened: Promise<{ folder: TemporaryFolder; handle: FileHandle }> | undefined;
  let end = 0;
  const start = async (): Promise<{ folder: TemporaryFolder; handle: FileHandle }> => {
    const folder = await temporaryFolder();
    return { folder, handle: await guarded(() => open(join(folder.path, 'scratch'), 'w+')) };
  };
  return {
    async keep(bytes) {
      opened ??= start();
      const { handle } = await opened;
      const position = end;
      end += bytes.byteLength;
      for (let done = 0; done < bytes.byteLength; ) {
        const at = done;
        const { bytesWritten } = await guarded(() => handle.write(bytes, at, bytes.byteLength - at, position + at));
        done += bytesWritten;
      }
      const { byteLength } = bytes;
      return async () => {
        const out = new Uint8Array(byteLength);
        for (let done = 0; done < byteLength; ) {
          const at = done;
          const { bytesRead } = await guarded(() => handle.read(out, at, byteLength - at, position + at));
          if (bytesRead === 0) throw new CompressError('io', WHERE, 'became shorter while it was in use');
          done += bytesRead;
        }
        return out;
      };
    },
    async close() {
      if (opened === undefined) return;
      const { folder, handle } = await opened;
      await handle.close();
      await folder.remove();
    },
  };
}

const WHERE = 'a temporary file';

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw ioError(WHERE, cause);
  }
}
