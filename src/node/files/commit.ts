import { linkSync, lstatSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { CompressError, ioError, withIoErrors } from '../../errors.ts';

import { hiddenName } from './hidden.ts';
import { locked } from './lock.ts';
import { newTag } from './owner.ts';

/** A complete file that waits for its name. */
export interface Pending {
  readonly path: string;
  /** Where its bytes are, in the same folder. */
  readonly temporary: string;
  readonly overwrite: boolean;
}

/** What a file replaced, kept until all of its group have their names. */
interface Aside {
  readonly path: string;
  readonly aside: string;
}

/**
 * Gives complete files their names: all or none. It happens at once, between two events, so no signal that a program
 * can handle comes in between; a power cut or SIGKILL can.
 *
 * One file alone is a rename over the old one, or a link that fails where there is one: atomic either way. Of several,
 * the last is the one that refers to the others (the model): the old model goes out of sight first, so that at no
 * moment a model stands beside the data of another; then come the data files, and the new model at last. What is
 * replaced is kept under hidden names meanwhile: an error puts it back, and after a kill the next run does
 * (`leftovers.ts`).
 *
 * @throws CompressError `exists` if a file turned up that must not be replaced, `io`
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
      // The hidden name stays as well, where it can: it tells the next run whose file this is, should there be a kill
      // now.
      appear({ ...one, overwrite: false }, { keep: true });
      appeared.push(one);
    }
  } catch (cause) {
    for (const { path } of appeared) attempt(() => rmSync(path, { force: true }));
    // The data first: a model must not be back before what it refers to. What cannot be put back, the next run tries
    // again.
    for (const { path, aside } of asides.reverse()) attempt(() => putBack(aside, path));
    throw cause;
  }
  for (const { temporary } of files) rmSync(temporary, { force: true });
  // The model's last: as long as it is there, the next run looks for the others.
  for (const { aside } of asides.reverse()) rmSync(aside, { force: true });
}

/** One of several things to undo: where it fails, the others are still undone, and the error that was first is told. */
function attempt(undo: () => unknown): void {
  try {
    undo();
  } catch {
    // Told is what went wrong before.
  }
}

/** Gives a file that was set aside its name again, unless another process has taken it. */
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

/** Errors of a file system without hard links, or that has no more of them for this file. */
const NO_LINKS: ReadonlySet<string | undefined> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EINVAL',
]);

/**
 * The name appears, whole. Without `overwrite` a file that came first stays: a link, unlike a rename, replaces nothing.
 */
function appear({ path, temporary, overwrite }: Pending, { keep = false }: { keep?: boolean } = {}): void {
  withIoErrors(path, () => {
    refuseExisting(path, overwrite);
    if (overwrite || !linked(temporary, path)) renameSync(temporary, path);
    else if (!keep) rmSync(temporary, { force: true });
  });
}

/** Gives a file a second name; false where it must be renamed instead. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (cause) {
    refuseExisting(to, false);
    // What is left of EEXIST is a symbolic link to nowhere, which is replaced.
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST' || NO_LINKS.has(code)) return false;
    throw cause;
  }
}

/** Moves a file out of sight, to the folder of the model where that is on the same disk. */
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

/** @throws CompressError `exists` or `io` where `path` is something that a new file must not replace */
export function refuseExisting(path: string, overwrite: boolean): void {
  let found: ReturnType<typeof statSync>;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    // Links in a circle are replaced as one to nowhere is.
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
