import { readdir, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ioError } from '../../errors.ts';

/** The files in a folder at any depth, as relative paths. */
export interface FolderContent {
  /** Files whose names end in `.onnx`. */
  readonly models: readonly string[];
  /** All other files, including links wherever they lead. */
  readonly others: readonly string[];
}

/**
 * Lists a folder. Hidden files and folders are skipped, and links to folders are not followed.
 * @param but - a folder to skip, with everything in it: the output folder
 * @throws CompressError `io`
 */
export async function contentOf(folder: string, but?: string): Promise<FolderContent> {
  const without = but === undefined ? undefined : await realpath(but).catch(() => resolve(but));
  const models: string[] = [];
  const others: string[] = [];
  const waiting = [''];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const path = join(folder, at);
    const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
      throw ioError(path, cause);
    });
    for (const entry of entries.filter(({ name }) => !name.startsWith('.'))) {
      const name = join(at, entry.name);
      const place = join(folder, name);
      if (entry.isDirectory()) {
        if ((await realpath(place).catch(() => place)) !== without) waiting.push(name);
      } else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(place)))) {
        (/\.onnx$/i.test(name) ? models : others).push(name);
      }
    }
  }
  return { models: models.sort(), others: others.sort() };
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
