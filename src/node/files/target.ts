import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { CompressError, ioError, withIoErrors } from '../../errors.ts';

/** Where the path of an output leads, with links followed. */
export type OutputTarget =
  /** A file, existing or new. */
  | { readonly kind: 'file'; readonly path: string }
  /** A descriptor of this process: `/dev/stdout`, `/dev/fd/3`, `/proc/self/fd/3`. */
  | { readonly kind: 'descriptor'; readonly fd: number }
  /** A named pipe or a device: bytes go through it, and nothing is replaced. */
  | { readonly kind: 'stream'; readonly path: string };

/** Maximum number of links to follow, as in Linux. */
const MAX_LINKS = 40;
/** A folder whose entries are the descriptors of a process. */
const DESCRIPTORS = /^(?:\/proc\/(\d+)(?:\/task\/\d+)?|\/dev)\/fd$/;
/** Permissions of a shared folder in which users may remove only their own files, such as `/tmp`. */
const SHARED = 0o1002;

/**
 * Follows the links of a path as a shell's `>` does: the file they lead to is written, and the links stay. A dangling
 * link leads to a new file.
 * @throws CompressError `io` for circular links, and if another user put a link into a shared folder
 */
export function targetOf(path: string): OutputTarget {
  let current = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const folder = realFolder(current);
    // Opening it will report the error.
    if (folder === undefined) return { kind: 'file', path: current };
    const owner = descriptorOwner(folder, basename(current));
    if (owner === process.pid) return { kind: 'descriptor', fd: Number(basename(current)) };
    // A descriptor of another process is not a link to a name: its file may have none.
    const found = look(current, owner !== undefined);
    if (found === undefined || found.isFile() || found.isDirectory()) return { kind: 'file', path: current };
    if (!found.isSymbolicLink()) return { kind: 'stream', path: current };
    refusePlanted(path, found, folder);
    const link = current;
    current = resolve(
      folder,
      withIoErrors(path, () => readlinkSync(link)),
    );
  }
  throw ioError(path, Object.assign(new Error('is part of a cycle of links'), { code: 'ELOOP' }));
}

/** Whether two targets are the same file, or the same descriptor. */
export function isSameTarget(one: OutputTarget, other: OutputTarget): boolean {
  if (one.kind === 'descriptor' || other.kind === 'descriptor') {
    return one.kind === 'descriptor' && other.kind === 'descriptor' && one.fd === other.fd;
  }
  if (one.kind !== 'file' || other.kind !== 'file') return false;
  if (resolve(one.path) === resolve(other.path)) return true;
  const [a, b] = [one, other].map(({ path }) => look(path, true));
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

/** Whether it is a terminal, which shows bytes to a person. */
export function isTerminal(target: OutputTarget): boolean {
  if (target.kind === 'descriptor') return isatty(target.fd);
  if (target.kind === 'file' || look(target.path, true)?.isCharacterDevice() !== true) return false;
  try {
    const fd = openSync(target.path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
    try {
      return isatty(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Opening it for writing will report the error.
    return false;
  }
}

/** @throws CompressError `io` if it is not writable */
export function refuseUnwritable(target: Exclude<OutputTarget, { kind: 'file' }>, label: string): void {
  if (target.kind === 'descriptor') {
    const found = withIoErrors(label, () => fstatSync(target.fd));
    if (found.isDirectory()) throw new CompressError('io', label, 'is a folder, not a file');
    return;
  }
  const found = withIoErrors(label, () => statSync(target.path));
  if (found.isBlockDevice()) throw new CompressError('io', label, 'is a block device, not a file');
  if (found.isSocket()) throw new CompressError('io', label, 'is a socket, not a file');
}

/** The folder of a path, with links resolved; undefined if there is none. */
function realFolder(path: string): string | undefined {
  try {
    return realpathSync(dirname(path));
  } catch {
    return undefined;
  }
}

/** The process whose descriptor an entry of a folder is; undefined for anything else. */
function descriptorOwner(folder: string, name: string): number | undefined {
  const found = /^\d+$/.test(name) ? DESCRIPTORS.exec(folder) : null;
  return found === null ? undefined : Number(found[1] ?? process.pid);
}

/** The status of a path; undefined if nothing is there, or it cannot be inspected. */
function look(path: string, follow: boolean): Stats | undefined {
  try {
    return (follow ? statSync : lstatSync)(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** As Linux does if `fs.protected_symlinks` is set: no user can redirect another one with a link in a shared folder. */
function refusePlanted(path: string, link: Stats, folder: string): void {
  const shared = look(folder, true);
  if (shared === undefined || (shared.mode & SHARED) !== SHARED) return;
  if (link.uid === process.geteuid?.() || link.uid === shared.uid) return;
  throw new CompressError('io', path, 'is a link that another user created in a world-writable folder');
}
