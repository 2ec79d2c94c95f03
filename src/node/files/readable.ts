import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isInside } from './folder.ts';

/**
 * Returns a function that says which files of the folder may be read: those inside it, and links into the folders where
 * links to models lead, as in the Hugging Face cache. A link in a stranger's folder could lead to anything.
 * @param paths - of the models
 */
export async function readable(root: string, paths: Iterable<string>): Promise<(path: string) => Promise<boolean>> {
  const lies = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);
  const models = await Promise.all([...new Set(paths)].map(lies));
  const folders = [await lies(root), ...models.map((one) => one && dirname(one))];
  return async (path) => {
    const at = await lies(path);
    return at !== undefined && folders.some((folder) => folder !== undefined && isInside(folder, at));
  };
}
