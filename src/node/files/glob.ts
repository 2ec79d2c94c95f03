import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError } from '../../errors.ts';

/** Whether a path contains wildcards: `*`, `?`, `[a-z]`, `{a,b}`. */
export function isPattern(path: string): boolean {
  return /[*?[{]/.test(path);
}

/**
 * The paths that match a pattern, sorted, as a shell expands it: `**` matches folders at any depth without following
 * links, and hidden names must be written out. For quoted patterns, and for shells that expand nothing.
 * @returns an empty list if nothing matches
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

/** Expands `{a,b}.onnx` to `a.onnx` and `b.onnx`. */
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

/** The entries of a folder; empty if it is not one. */
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
    // `[z-a]` is an empty range.
    return /(?!)/;
  }
}
