import { linkSync, lstatSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { CompressError, ioError, withIoErrors } from '../../errors.ts';

import { hiddenName } from './hidden.ts';
import { locked } from './lock.ts';
import { newTag } from './owner.ts';

/** A complete file that does not have its final name yet. */
export interface Pending {
  readonly path: string;
  /** Path of its bytes, in the same folder. */
  readonly temporary: string;
  readonly overwrite: boolean;
}

/** A replaced file, kept until all files of the group have their names. */
interface Aside {
  readonly path: string;
  readonly aside: string;
}

/**
 * Gives complete files their final names: all or none. This happens synchronously, so no signal that a program can
 * handle comes in between; a power cut or SIGKILL can.
 *
 * A single file is renamed over the old one, or linked if it must not replace one: both are atomic. In a group, the
 * last file is the one that refers to the others (the model). The old model is hidden first, so that no model is ever
 * next to the data of another one; then the data files get their names, and the new model last. Replaced files keep
 * hidden names in the meantime: an error restores them, and after a kill the next run does (`leftovers.ts`).
 *
 * @throws CompressError `exists` if a file appeared that must not be replaced, `io`
 */
export function commit(files: readonly Pending[]): void {
  const main = files.at(-1);
  if (main === undefined) return;
  if (files.length === 1) appear(main);
  else withIoErrors(main.path, () => locked(main.path, () => together(files, main)));
}

function together(files: readonly Pending[], main: Pending): void {
  const tag = newTag();
  const asides: Aside[] = [];
  const appeared: Pending[] = [];
  try {
    for (const one of [main, ...files.slice(0, -1)]) {
      refuseExisting(one.path, one.overwrite);
      if (isThere(one.path)) asides.push(setAside(one.path, dirname(main.path), tag));
    }
    for (const one of files) {
      // Keep the hidden name too, if possible: after a kill it tells the next run whose file this is.
      appear({ ...one, overwrite: false }, { keep: true });
      appeared.push(one);
    }
  } catch (cause) {
    for (const { path } of appeared) attempt(() => rmSync(path, { force: true }));
    // Data first, because a model must not reappear before its data. Whatever fails here, the next run tries again.
    for (const { path, aside } of asides.reverse()) attempt(() => putBack(aside, path));
    throw cause;
  }
  for (const { temporary } of files) rmSync(temporary, { force: true });
  // The hidden model last: while it exists, the next run looks for the others.
  for (const { aside } of asides.reverse()) rmSync(aside, { force: true });
}

/** Runs one of several undo steps. If it fails, the others still run, and the original error is reported. */
function attempt(undo: () => unknown): void {
  try {
    undo();
  } catch {
    // The original error is reported.
  }
}

/** Gives a hidden file its name back, unless another process has taken it. */
export function putBack(aside: string, path: string): boolean {
  try {
    appear({ path, temporary: aside, overwrite: false });
    return true;
  } catch (cause) {
    if (!(cause instanceof CompressError) || cause.code !== 'exists') throw cause;
    rmSync(aside, { force: true });
    return false;
  }
}

/** Errors of a file system without hard links, or of a file that cannot have more. */
const NO_LINKS: ReadonlySet<string | undefined> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EINVAL',
]);

/**
 * Makes the name appear with the complete file. Without `overwrite`, an existing file stays: a link, unlike a rename,
 * replaces nothing.
 */
function appear({ path, temporary, overwrite }: Pending, { keep = false }: { keep?: boolean } = {}): void {
  withIoErrors(path, () => {
    refuseExisting(path, overwrite);
    if (overwrite || !linked(temporary, path)) renameSync(temporary, path);
    else if (!keep) rmSync(temporary, { force: true });
  });
}

/** Gives a file a second name; returns false if it must be renamed instead. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (cause) {
    refuseExisting(to, false);
    // Other cases of EEXIST are dangling symbolic links, which are replaced.
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST' || NO_LINKS.has(code)) return false;
    throw cause;
  }
}

/** Hides a file, in the folder of the model if that is on the same disk. */
function setAside(path: string, folder: string, tag: string): Aside {
  const own = dirname(path);
  const name = hiddenName(relative(folder, path), tag, 'old');
  try {
    const aside = join(folder, name);
    renameSync(path, aside);
    return { path, aside };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EXDEV') throw ioError(path, cause);
    const aside = join(own, hiddenName(basename(path), tag, 'old'));
    withIoErrors(path, () => renameSync(path, aside));
    return { path, aside };
  }
}

function isThere(path: string): boolean {
  return withIoErrors(path, () => lstatSync(path, { throwIfNoEntry: false })) !== undefined;
}

/** @throws CompressError `exists` or `io` if `path` is something that a new file must not replace */
export function refuseExisting(path: string, overwrite: boolean): void {
  let found: ReturnType<typeof statSync>;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    // Circular links are replaced like dangling ones.
    if ((cause as NodeJS.ErrnoException).code === 'ELOOP') return;
    throw ioError(path, cause);
  }
  if (found === undefined) return;
  if (found.isDirectory()) throw new CompressError('io', path, 'is a folder, not a file');
  if (!found.isFile()) throw new CompressError('io', path, 'is not a regular file');
  if (!overwrite) {
    throw new CompressError('exists', path, 'the file already exists', { hint: 'Use `overwrite` to replace it.' });
  }
}
