import { type FileHandle, open, readlink } from 'node:fs/promises';

/**
 * A pipe of this process opened anew, so that reads and writes wait. Node's streams make the one they have not wait: a writer then
 * sends whatever little room there is, and a reader asks again and again.
 * @param flags - `r` or `w`
 * @returns undefined for anything but a pipe without a name (opening one with a name would wait for somebody at its other end),
 * where it cannot be opened, and elsewhere than in Linux
 */
export async function blockingPipe(fd: number, flags: 'r' | 'w'): Promise<FileHandle | undefined> {
  if (process.platform !== 'linux') return undefined;
  const path = `/proc/self/fd/${fd}`;
  const name = await readlink(path).catch(() => '');
  return name.startsWith('pipe:[') ? open(path, flags).catch(() => undefined) : undefined;
}
