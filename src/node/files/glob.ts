import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError } from '../../errors.ts';

/** Whether a path has letters that stand for others: `*`, `?`, `[a-z]`, `{a,b}`. */
export function isPattern(path: string): boolean {
  return /[*?[{]/.test(path);
}

/**
 * The paths that a pattern matches, sorted, as a shell expands it: `**` are folders at any depth, links are not
 * followed there, and hidden names have to be written out. For patterns in quotes, and for shells that expand nothing.
 * @returns none where nothing matches
 * @throws CompressError `io` for a folder that cannot be read
 * @example await expand('models/*.onnx'); // ['models/a.onnx', 'models/b.onnx']
 */
export async function expand(pattern: string): Promise<string[]> {
  const slashes = process.platform === 'win32' ? pattern.replaceAll('\\', '/') : pattern;
  const found = new Set<string>();
  for (const one of alternatives(slashes)) {
    const root = /^([a-zA-Z]:)?\/+/.exec(one)?.[0] ?? '';
    const parts = one
      .slice(root.length)
      .split('/')
      .filter((part) => part !== '');
    for (const path of await matches(root, parts)) found.add(path);
  }
  return [...found].sort();
}

/** `{a,b}.onnx` as `a.onnx` and `b.onnx`. */
function alternatives(pattern: string): string[] {
  const [all, head = '', list = '', tail = ''] = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(pattern) ?? [];
  if (all === undefined) return [pattern];
  return list.split(',').flatMap((one) => alternatives(head + one + tail));
}

/** The paths under a folder whose parts match. */
async function matches(folder: string, [part, ...rest]: readonly string[]): Promise<string[]> {
  if (part === undefined) return folder === '' ? [] : [folder];
  if (part === '**') {
    const deeper = (await entriesOf(folder)).filter((one) => one.isDirectory() && !one.name.startsWith('.'));
    const lists = await Promise.all(deeper.map((one) => matches(join(folder, one.name), ['**', ...rest])));
    return [...(await matches(folder, rest.length === 0 ? ['*'] : rest)), ...lists.flat()];
  }
  if (!isPattern(part)) {
    const path = folder === '' ? part : join(folder, part);
    return (await isThere(path)) ? matches(path, rest) : [];
  }
  const expression = expressionOf(part);
  const names = (await entriesOf(folder)).map((one) => one.name);
  const fitting = names.filter((name) => expression.test(name) && (!name.startsWith('.') || part.startsWith('.')));
  return (await Promise.all(fitting.map((name) => matches(join(folder, name), rest)))).flat();
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** What is in a folder; nothing in what is none. */
async function entriesOf(folder: string) {
  return readdir(folder === '' ? '.' : folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return [];
    throw ioError(folder, cause);
  });
}

/** One part of a path as a regular expression. */
function expressionOf(part: string): RegExp {
  const text = part.replaceAll(/\*+|\?|\[!?[^\]]+\]|[\\^$.|+(){}[\]]/g, (found) => {
    if (found.startsWith('*')) return '.*';
    if (found === '?') return '.';
    if (found.length > 1) return found.replaceAll('\\', '\\\\').replace(/^\[!/, '[^');
    return `\\${found}`;
  });
  try {
    return new RegExp(`^${text}$`, 's');
  } catch {
    // `[z-a]`: no letter is from z to a.
    return /(?!)/;
  }
}
