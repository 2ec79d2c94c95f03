import { rmdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ioError } from '../../errors.ts';

/** Folders that were made for outputs, each after those above it. */
const made: string[] = [];

/**
 * Makes a folder and those above it.
 * @throws CompressError `io`
 */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  if (first === undefined) return;
  const above: string[] = [];
  for (let one = resolve(path); one.length >= resolve(first).length; one = dirname(one)) above.push(one);
  made.push(...above.reverse());
}

/** Removes those of the folders in which there is nothing: the run that made them failed. */
export function removeEmptyFolders(): void {
  for (const path of made.splice(0).reverse()) {
    try {
      rmdirSync(path);
    } catch {
      // There is something in it, or it has gone.
    }
  }
}
