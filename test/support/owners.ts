/** Tags of temporary files of other processes. */
import { spawnSync } from 'node:child_process';
import { parseHidden } from '../../src/node/files/hidden.ts';
import { newTag } from '../../src/node/files/owner.ts';

/** A tag of this process, with some parts replaced. */
export function tagOf(parts: { host?: string; boot?: string; pid?: number; start?: string }): string {
  const [host, boot, pid, start, own] = newTag().split('-');
  return [parts.host ?? host, parts.boot ?? boot, parts.pid ?? pid, parts.start ?? start, own].join('-');
}

/** A tag of a process of this host that has ended. */
export function deadTag(): string {
  return tagOf({ pid: spawnSync(process.execPath, ['-e', '0']).pid });
}

/** The names of our hidden files in a folder. */
export function hiddenOf(names: readonly string[]): string[] {
  return names.filter((name) => parseHidden(name) !== undefined);
}
