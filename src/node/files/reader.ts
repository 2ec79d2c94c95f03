import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { pipeOf } from './pipe.ts';

/** Number of Node's arguments among which the script is, because options may precede it. */
const FIRST = 4;

/**
 * Whether this same program reads the pipe at a descriptor as its standard input, however it was started. The pipe must
 * still be open here: a reader stays until its end, whether bytes or a file came through it.
 */
export function readsOurs(fd: number): boolean {
  const pipe = pipeOf(fd);
  const own = realOf('/', process.argv[1] ?? '');
  if (pipe === undefined || own === undefined) return false;
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return processes.some((pid) => pipeOf(0, Number(pid)) === pipe && runs(pid, own));
}

function runs(pid: string, script: string): boolean {
  try {
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    const given = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      .split('\0')
      .slice(1, 1 + FIRST);
    return given.some((one) => realOf(folder, one) === script);
  } catch {
    // It has ended, or belongs to another user.
    return false;
  }
}

function realOf(folder: string, path: string): string | undefined {
  try {
    return path === '' ? undefined : realpathSync(resolve(folder, path));
  } catch {
    return undefined;
  }
}
