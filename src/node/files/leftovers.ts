import { lstatSync, readdirSync, rmSync, type Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { putBack } from './commit.ts';
import { type HiddenName, nameOf, parseHidden, stemOf } from './hidden.ts';
import { breakDead, locked, lockPath } from './lock.ts';
import { isDead, PREFIX, TAG } from './owner.ts';

/** Notes about files of killed runs, and what this process did about them. */
const notes = new Set<string>();

/** Returns the notes so far; each is returned once. */
export function takeLeftoverNotes(): string[] {
  const taken = [...notes];
  notes.clear();
  return taken;
}

/** A file of a dead run next to the output. */
interface Leftover extends HiddenName {
  readonly path: string;
  readonly found: Stats;
}

/**
 * Cleans up after runs that were killed while they wrote `path`: removes their temporary files, and restores an old
 * model whose successor was not completed. It touches only files with names of this program that belong to this user
 * and were made on this host by a process that has ended. What cannot be removed stays.
 * @param model - if `path` is a data file: its model
 */
export async function clearLeftovers(path: string, model?: string): Promise<void> {
  const start = `.${stemOf(basename(path))}.`;
  const names = (await readdir(dirname(path)).catch(() => [])).filter((name) => name.startsWith(start));
  if (names.length === 0) return;
  clear(path, names, model);
  // A run without a data file also cleans up after one with it.
  if (model === undefined) clear(`${path}.data`, names, path);
}

function clear(path: string, names: readonly string[], model: string | undefined): void {
  const stem = stemOf(basename(path));
  const lock = lockPath(path);
  if (names.includes(basename(lock))) quietly(() => void breakDead(lock));
  const left = names.flatMap((name) => leftover(dirname(path), name)).filter((one) => one.stem === stem);
  const old = left.filter((one) => one.kind === 'old');
  if (old.length > 0 && model === undefined) quietly(() => locked(path, () => restore(path, old)));
  for (const one of left) {
    if (one.kind === 'tmp') quietly(() => drop(one, path, model));
  }
}

/** Restores what a dead run had hidden; if its new model was completed, only cleans up. */
function restore(path: string, old: readonly Leftover[]): void {
  const folder = dirname(path);
  const names = readdirSync(folder);
  for (const { tag } of old) {
    const group = names.flatMap((name) => leftover(folder, name)).filter((one) => one.tag === tag);
    const others = group.filter((one) => one.stem !== stemOf(basename(path)));
    const isMissing = lstatSync(path, { throwIfNoEntry: false }) === undefined;
    for (const one of others) {
      const name = one.stem === stemOf(`${basename(path)}.data`) ? `${basename(path)}.data` : nameOf(one.stem);
      if (isMissing && name !== undefined) {
        rmSync(join(folder, name), { force: true });
        putBack(one.path, join(folder, name));
      } else rmSync(one.path, { force: true });
    }
    for (const one of group.filter((two) => !others.includes(two))) {
      if (!isMissing) rmSync(one.path, { force: true });
      else if (putBack(one.path, path)) notes.add(`restored ${path}, which a killed run was replacing`);
    }
  }
}

/** Removes a temporary file, and its final data file if the model was not completed. */
function drop(one: Leftover, path: string, model: string | undefined): void {
  const named = lstatSync(path, { throwIfNoEntry: false });
  const same = named !== undefined && named.ino === one.found.ino && named.dev === one.found.dev;
  if (same && model !== undefined && lstatSync(model, { throwIfNoEntry: false }) === undefined) {
    rmSync(path, { force: true });
    notes.add(`removed ${path}, whose model was left incomplete by a killed run`);
  }
  rmSync(one.path, { force: true });
  notes.add(`removed ${one.path}, left by a killed run`);
}

/** The file of this name, if a dead run of this program left it. */
function leftover(folder: string, name: string): Leftover[] {
  const parsed = parseHidden(name);
  if (parsed === undefined) return [];
  const path = join(folder, name);
  const found = ours(path, parsed.tag);
  return found?.isFile() ? [{ ...parsed, path, found }] : [];
}

const TEMPORARY = new RegExp(`^${PREFIX}(${TAG})`);

/** Cleans up the system's temporary folder by the same rules. */
export async function clearTemporaryFolder(): Promise<void> {
  const folder = tmpdir();
  for (const name of await readdir(folder).catch(() => [])) {
    const tag = TEMPORARY.exec(name)?.[1];
    if (tag === undefined) continue;
    const path = join(folder, name);
    const found = ours(path, tag);
    if (found === undefined || !(found.isDirectory() || found.isFile())) continue;
    quietly(() => {
      rmSync(path, { force: true, recursive: true });
      notes.add(`removed ${path}, left by a killed run`);
    });
  }
}

/** The status of a path, if this user made it in a process that has ended; links are not followed. */
function ours(path: string, tag: string): Stats | undefined {
  let found: Stats | undefined;
  quietly(() => {
    found = lstatSync(path, { throwIfNoEntry: false });
  });
  if (found === undefined) return undefined;
  if (process.getuid !== undefined && found.uid !== process.getuid()) return undefined;
  return isDead(tag, found.mtimeMs) ? found : undefined;
}

/** Cleaning up is optional: if it fails, the run continues. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // Another process was faster, or this one has no permission.
  }
}
