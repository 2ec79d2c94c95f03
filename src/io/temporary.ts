import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ioError } from '../errors.ts';

/** Temporary files and folders that exist now, so that they can be removed when the process ends early. */
export const temporaries: Set<string> = new Set();

/** Removes every unfinished output file and every temporary folder at once, for a process that is about to end. */
export function removeTemporaries(): void {
  for (const path of temporaries) rmSync(path, { force: true, recursive: true });
  temporaries.clear();
}

/** A folder for files that nobody is to keep. */
export interface TemporaryFolder {
  readonly path: string;
  /** Removes the folder with all that is in it. */
  remove(): Promise<void>;
}

let watching = false;

/**
 * Makes a folder in the system's temporary one, readable by this user only. It goes with `remove()`, at the latest when
 * the process exits; a program that handles signals calls {@link removeTemporaries} itself.
 * @throws CompressError `io`
 */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'onnx-compress-')).catch((cause: unknown) => {
    throw ioError(tmpdir(), cause);
  });
  temporaries.add(path);
  if (!watching) process.on('exit', removeTemporaries);
  watching = true;
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true });
      temporaries.delete(path);
    },
  };
}
