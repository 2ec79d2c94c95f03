import { readlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * The number of the pipe without a name that a process has at a descriptor; undefined for anything else, and elsewhere
 * than in Linux.
 */
export function pipeOf(fd: number, process: number | 'self' = 'self'): string | undefined {
  try {
    return /^pipe:\[(\d+)\]$/.exec(readlinkSync(`/proc/${process}/fd/${fd}`))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * A pipe of this process opened again, so that reads and writes wait. Node's streams make the one they have not wait: a
 * writer then sends whatever little room there is, and a reader asks again and again.
 * @param flags - `r` or `w`
 * @returns undefined for anything but a pipe without a name (opening one with a name would wait for its other end), and
 *   where it cannot be opened
 */
export async function blockingPipe(fd: number, flags: 'r' | 'w'): Promise<FileHandle | undefined> {
  return pipeOf(fd) === undefined ? undefined : open(`/proc/self/fd/${fd}`, flags).catch(() => undefined);
}
