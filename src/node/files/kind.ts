import { stat } from 'node:fs/promises';

/** What a path leads to. */
export type Kind = 'folder' | 'file' | 'nothing';

/** What a path leads to, links followed. */
export function kindOf(path: string): Promise<Kind> {
  return stat(path).then(
    (found) => (found.isDirectory() ? 'folder' : 'file'),
    () => 'nothing',
  );
}
