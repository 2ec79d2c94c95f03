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

/** Where the path of an output leads, links followed. */
export type OutputTarget =
  /** A file, there or to be. */
  | { readonly kind: 'file'; readonly path: string }
  /** A descriptor of this process: `/dev/stdout`, `/dev/fd/3`, `/proc/self/fd/3`. */
  | { readonly kind: 'descriptor'; readonly fd: number }
  /** A pipe with a name, or a device: bytes go through it, and nothing is replaced. */
  | { readonly kind: 'stream'; readonly path: string };

/** Links that are followed; Linux itself follows as many. */
const MAX_LINKS = 40;
/** A folder whose entries stand for the descriptors of a process. */
const DESCRIPTORS = /^(?:\/proc\/(\d+)(?:\/task\/\d+)?|\/dev)\/fd$/;
/** Permissions of a folder in which all may write and each may remove only what is his, as `/tmp`. */
const SHARED = 0o1002;

/**
 * Follows the links of a path as a shell's `>` does: what they lead to is written, and the links stay. A link to
 * nowhere leads to a file to be.
 * @throws CompressError `io` for links in a circle, and where another user put a link into a folder that all may write
 */
export function targetOf(path: string): OutputTarget {
  let current = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const folder = realFolder(current);
    // Opening it says what is wrong.
    if (folder === undefined) return { kind: 'file', path: current };
    const owner = descriptorOwner(folder, basename(current));
    if (owner === process.pid) return { kind: 'descriptor', fd: Number(basename(current)) };
    // A descriptor of another process is not a link to its name: what it has open may have none.
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

/** Whether it is a terminal, where bytes are shown to a person. */
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
    // Opening it to write says why.
    return false;
  }
}

/** @throws CompressError `io` if nothing can be written through it */
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

/** The folder a path is in, links resolved; undefined if there is none. */
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

/** What is there; undefined for nothing, and for what cannot be looked at. */
function look(path: string, follow: boolean): Stats | undefined {
  try {
    return (follow ? statSync : lstatSync)(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/**
 * What Linux does itself where `fs.protected_symlinks` is set: no user can lead another one elsewhere from a folder
 * that all share.
 */
function refusePlanted(path: string, link: Stats, folder: string): void {
  const shared = look(folder, true);
  if (shared === undefined || (shared.mode & SHARED) !== SHARED) return;
  if (link.uid === process.geteuid?.() || link.uid === shared.uid) return;
  throw new CompressError('io', path, 'is a link that another user created in a world-writable folder');
}
