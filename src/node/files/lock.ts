import { readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CompressError } from '../../errors.ts';
import { stemOf } from './hidden.ts';
import { isDead, newTag } from './owner.ts';

/** Maximum wait in milliseconds. Naming two files takes less than one, so a longer wait has another cause. */
const PATIENCE = 10_000;
const PAUSE = 5;

/** The lock file for naming an output and its data: a dangling symbolic link whose target is the owner's tag. */
export function lockPath(path: string): string {
  return join(dirname(path), `.${stemOf(basename(path))}.lock`);
}

/**
 * Runs work that no other run may do to this output at the same time; without a lock if the file system has no symbolic
 * links. The lock of a killed run is taken over.
 * @throws CompressError `io` if another run keeps it
 */
export function locked(path: string, work: () => void): void {
  const lock = lockPath(path);
  const tag = newTag();
  const end = Date.now() + PATIENCE;
  let held = false;
  for (;;) {
    let taken = false;
    try {
      symlinkSync(tag, lock);
      held = true;
    } catch (cause) {
      // No links or no folder here: the work itself reports what is wrong.
      taken = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    }
    if (!taken) break;
    if (breakDead(lock)) continue;
    if (Date.now() > end) {
      throw new CompressError('io', path, 'another run is writing this file', {
        hint: `If no other run is active, remove ${lock}.`,
      });
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
  }
  try {
    work();
  } finally {
    if (held) rmSync(lock, { force: true });
  }
}

/** Removes the lock of a run that has ended; returns whether it is gone. */
export function breakDead(lock: string): boolean {
  const owner = ownerOf(lock);
  if (owner === undefined) return true;
  if (!isDead(owner, Date.now())) return false;
  // Move it first and check again: another run may have broken it and made its own since.
  const moved = `${lock}.${newTag()}`;
  try {
    renameSync(lock, moved);
  } catch {
    return true;
  }
  if (ownerOf(moved) !== owner) {
    renameSync(moved, lock);
    return false;
  }
  rmSync(moved, { force: true });
  return true;
}

/** The tag in a lock; undefined if there is none. */
function ownerOf(lock: string): string | undefined {
  try {
    return readlinkSync(lock);
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : '';
  }
}
