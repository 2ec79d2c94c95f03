import { constants, mkdtempSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ioError } from '../../errors.ts';
import { clearTemporaryFolder } from './leftovers.ts';
import { newTag, PREFIX } from './owner.ts';

/** Existing temporary files and folders, so that they can be removed if the process ends early. */
export const temporaries: Set<string> = new Set();

/** Synchronously removes every unfinished output file and temporary folder, for a process that is about to end. */
export function removeTemporaries(): void {
  for (const path of temporaries) rmSync(path, { force: true, recursive: true });
  temporaries.clear();
}

/** A path in the system's temporary folder. The name identifies the process that made it. */
export function temporaryPath(tag: string = newTag()): string {
  return join(tmpdir(), `${PREFIX}${tag}`);
}

/**
 * Whether no other user can rename files in the system's temporary folder: it belongs to this user or the system, and
 * others may not write to it, or may remove only their own files (sticky bit, as for /tmp).
 */
export function temporariesKeepTheirNames(): boolean {
  try {
    const { uid, mode } = statSync(tmpdir());
    const others = (mode & (constants.S_IWGRP | constants.S_IWOTH)) !== 0;
    return (uid === 0 || uid === process.getuid?.()) && (!others || (mode & STICKY) !== 0);
  } catch {
    return false;
  }
}

const STICKY = 0o1000;

/** Removes a path when the process ends, if not earlier. */
export function removeAtExit(path: string): void {
  temporaries.add(path);
  if (!watching) process.on('exit', removeTemporaries);
  watching = true;
}

/** A folder for files that are removed when the work is done. */
export interface TemporaryFolder {
  readonly path: string;
  /** Removes the folder with everything in it. */
  remove(): Promise<void>;
}

let watching = false;

/**
 * Creates a folder in the system's temporary folder, readable by this user only, after cleaning up what killed runs
 * left. `remove()` or the exit of the process removes it; a program that handles signals calls {@link
 * removeTemporaries} itself.
 * @throws CompressError `io`
 */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  await clearTemporaryFolder();
  const path = makeFolder();
  removeAtExit(path);
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true });
      temporaries.delete(path);
    },
  };
}

function makeFolder(): string {
  try {
    // Synchronous, so that no signal comes between creating and registering it.
    return mkdtempSync(`${temporaryPath()}-`);
  } catch (cause) {
    throw ioError(tmpdir(), cause);
  }
}
