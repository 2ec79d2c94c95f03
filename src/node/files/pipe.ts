import { readlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * The inode number of the unnamed pipe at a descriptor of a process; undefined for anything else, and outside Linux.
 */
export function pipeOf(fd: number, process: number | 'self' = 'self'): string | undefined {
  try {
    return /^pipe:\[(\d+)\]$/.exec(readlinkSync(`/proc/${process}/fd/${fd}`))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * A pipe of this process, reopened in blocking mode. Node's streams make the existing one non-blocking: a writer then
 * sends whatever little fits, and a reader polls.
 * @param flags - `r` or `w`
 * @returns undefined unless it is an unnamed pipe that can be reopened (opening a named one would wait for its other
 * end)
 */
export async function blockingPipe(fd: number, flags: 'r' | 'w'): Promise<FileHandle | undefined> {
  return pipeOf(fd) === undefined ? undefined : open(`/proc/self/fd/${fd}`, flags).catch(() => undefined);
}
