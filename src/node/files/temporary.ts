import { constants, mkdtempSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ioError } from '../../errors.ts';
import { clearTemporaryFolder } from './leftovers.ts';
import { newTag, PREFIX } from './owner.ts';

/** Temporary files and folders that exist now, so that they can be removed when the process ends early. */
export const temporaries: Set<string> = new Set();

/** Removes every unfinished output file and every temporary folder at once, for a process that is about to end. */
export function removeTemporaries(): void {
  for (const path of temporaries) rmSync(path, { force: true, recursive: true });
  temporaries.clear();
}

/** Path in the system's folder for temporary files. The name tells which process made it. */
export function temporaryPath(tag: string = newTag()): string {
  return join(tmpdir(), `${PREFIX}${tag}`);
}

/**
 * Whether no other user can give a file in the system's folder for temporary ones another name: the folder is this
 * user's or the system's, and others may not write it, or remove only what is theirs (the sticky bit, as /tmp has it).
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

/** Has a path removed when the process ends, at the latest. */
export function removeAtExit(path: string): void {
  temporaries.add(path);
  if (!watching) process.on('exit', removeTemporaries);
  watching = true;
}

/** A folder for files that go when the work is done. */
export interface TemporaryFolder {
  readonly path: string;
  /** Removes the folder with all that is in it. */
  remove(): Promise<void>;
}

let watching = false;

/**
 * Makes a folder in the system's temporary one, readable by this user only, after clearing up what killed runs left
 * there. It goes with `remove()`, at the latest when the process exits; a program that handles signals calls {@link
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
    // Not asynchronously: a signal would find a folder that is made and not written down.
    return mkdtempSync(`${temporaryPath()}-`);
  } catch (cause) {
    throw ioError(tmpdir(), cause);
  }
}
