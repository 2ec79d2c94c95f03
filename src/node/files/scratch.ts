import { close, open } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Kept, Stored } from '../../bytes/stored.ts';
import { ioError } from '../../errors.ts';
import { readAll } from './readAll.ts';
import { type TemporaryFolder, temporaryFolder } from './temporary.ts';
import { writeAll } from './writeAll.ts';

/** A temporary file for bytes that are needed later. `close()`, or the exit of the process, removes it. */
export interface ScratchFile {
  /**
   * Appends a copy of the bytes.
   * @returns a function that reads them again
   * @throws CompressError `io`
   */
  keep(bytes: Uint8Array): Promise<Kept>;
  close(): Promise<void>;
}

// Descriptors, not handles: a read function keeps the file open, and garbage collection does not close it with a
// warning.
const files = { open: promisify(open), close: promisify(close) };

/** A scratch file, created on first use. */
export function scratchFile(): ScratchFile {
  let opened: Promise<{ folder: TemporaryFolder; fd: number }> | undefined;
  let end = 0;
  const start = async (): Promise<{ folder: TemporaryFolder; fd: number }> => {
    const folder = await temporaryFolder();
    return { folder, fd: await guarded(() => files.open(join(folder.path, 'scratch'), 'w+')) };
  };
  return {
    async keep(bytes) {
      opened ??= start();
      const { fd } = await opened;
      const { byteLength } = bytes;
      const position = end;
      end += byteLength;
      await writeAll(fd, bytes, position, WHERE);
      const stored: Stored = {
        label: WHERE,
        byteLength,
        readInto: (target, start) => readAll(fd, target, position + start, WHERE),
        file: { fd, position },
      };
      const read = async (): Promise<Uint8Array> => {
        const out = new Uint8Array(byteLength);
        await stored.readInto(out, 0);
        return out;
      };
      return Object.assign(read, { stored });
    },
    async close() {
      if (opened === undefined) return;
      const { folder, fd } = await opened;
      await guarded(() => files.close(fd));
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
