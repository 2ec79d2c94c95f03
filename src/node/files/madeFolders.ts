import { rmdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ioError } from '../../errors.ts';

/** Folders that were made for outputs, each after those above it. */
const made: string[] = [];

/**
 * Makes a folder and those above it.
 * @returns those that did not exist, each after those above it
 * @throws CompressError `io`
 */
export async function makeFolder(path: string): Promise<readonly string[]> {
  const first = await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  if (first === undefined) return [];
  const above: string[] = [];
  for (let one = resolve(path); one.length >= resolve(first).length; one = dirname(one)) above.push(one);
  made.push(...above.reverse());
  return above;
}

/**
 * Removes those of the folders in which there is nothing: the run that made them failed.
 * @param folders - all that were made if omitted
 */
export function removeEmptyFolders(folders: readonly string[] = made.splice(0)): void {
  for (const path of [...folders].reverse()) {
    try {
      rmdirSync(path);
    } catch {
      // There is something in it, or it has gone.
    }
  }
}
