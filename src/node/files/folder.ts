import { constants } from 'node:fs';
import { readlink, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import type { DataFolder, Source } from '../../bytes/source.ts';
import { CompressError, ioError } from '../../errors.ts';
import { CHANGED } from './handle.ts';
import { fileSource, isAt } from './source.ts';

/** Maximum number of data files of a model: real ones have one or a few, and each takes an open file. */
const MAX_DATA_FILES = 4096;

/**
 * The folder of the model file at `modelPath`.
 * @param model - that file, if it is open: a link that leads elsewhere by now is then ignored
 */
export async function modelFolder(modelPath: string, model?: Source): Promise<DataFolder> {
  const path = resolve(modelPath);
  const folder = await realpath(dirname(path)).catch((cause: unknown) => {
    throw ioError(modelPath, cause);
  });
  const file = model === undefined ? await realpath(path).catch(() => undefined) : await whereIs(model, path);
  const allowed = [...new Set([folder, ...(file === undefined ? [] : [dirname(file)])])];
  const opened = new Map<string, Promise<Source>>();
  let besideFileAlone = false;
  return {
    get modelPath() {
      return besideFileAlone ? (file ?? modelPath) : modelPath;
    },
    open(location, where) {
      let source = opened.get(location);
      if (source === undefined) {
        if (opened.size >= MAX_DATA_FILES) {
          throw new CompressError('limit', where, `the model names more than ${MAX_DATA_FILES} external data files`);
        }
        source = find(allowed, location, where).then((found) => {
          besideFileAlone ||= found.base !== folder;
          return found.source;
        });
        opened.set(location, source);
      }
      return source;
    },
    async close() {
      const settled = await Promise.allSettled(opened.values());
      for (const one of settled) if (one.status === 'fulfilled') await one.value.close();
    },
  };
}

/** Whether a model at `modelPath`, which is not a link, may read the data file at `path`. */
export async function maySee(modelPath: string, path: string): Promise<boolean> {
  const [folder, file] = await Promise.all([dirname(resolve(modelPath)), path].map((one) => realpath(one))).catch(
    () => [],
  );
  return folder !== undefined && file !== undefined && isInside(folder, file);
}

/** A data file, and the folder in which its location was found. */
interface Found {
  readonly base: string;
  readonly source: Source;
}

async function find(allowed: readonly string[], location: string, where: string): Promise<Found> {
  const shown = JSON.stringify(location.length > 200 ? `${location.slice(0, 200)}…` : location);
  const refuse = (fact: string, hint = "External data must be a file inside the model's own folder."): CompressError =>
    new CompressError('malformed', where, `external data ${shown} ${fact}`, { hint });
  if (location === '') throw refuse('has no location');
  if (location.includes('\0')) throw refuse('has a NUL character in its location');
  if (isAbsolute(location) || /^[a-zA-Z]:|^\\/.test(location)) throw refuse('is an absolute path');
  if (location.split(/[\\/]/).includes('..')) throw refuse("would leave the model's folder ('..')");
  const cannotOpen = (wanted: string, cause: unknown): never => {
    const error = ioError(wanted, cause);
    const fact = error.message.slice(`${wanted}: `.length);
    throw new CompressError('io', where, `external data ${shown}: ${fact}`, {
      cause,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  };
  let missing: unknown;
  for (const base of allowed) {
    const wanted = resolve(base, location);
    const real = await realpath(wanted).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') cannotOpen(wanted, cause);
      missing ??= cause;
    });
    if (real === undefined) continue;
    if (allowed.includes(real)) throw refuse("is the model's folder itself");
    if (!allowed.some((folder) => isInside(folder, real))) {
      throw refuse("would leave the model's folder (a symbolic link)", LINKED);
    }
    return {
      base,
      source: await openInside(allowed, real, wanted).catch((cause: unknown) => cannotOpen(wanted, cause)),
    };
  }
  return cannotOpen(resolve(allowed[0] ?? '', location), missing);
}

const LINKED =
  "It must be in the model's folder or, if the model is a link, in the folder of its target. " +
  'Copy the files themselves and use the copy: cp -L FOLDER/model.onnx* .';

/** Whether a path without links is inside a folder, at any depth. */
export function isInside(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
}

/**
 * Opens the file at a path without links, and checks where it is. So a link that replaced it, or a parent folder, since
 * the path was checked leads nowhere.
 */
async function openInside(allowed: readonly string[], real: string, label: string): Promise<Source> {
  const source = await fileSource(real, label, constants.O_NOFOLLOW ?? 0);
  const lies = await whereIs(source, real);
  if (lies !== undefined && allowed.some((folder) => isInside(folder, lies))) return source;
  await source.close();
  throw new CompressError('io', label, 'was replaced by another file while it was being opened', CHANGED);
}

/** The path of an open file. Linux can tell from the file itself; elsewhere its path is resolved again. */
async function whereIs(source: Source, path: string): Promise<string | undefined> {
  const resolved = process.platform === 'linux' ? readlink(`/proc/self/fd/${source.files?.fd}`) : realpath(path);
  const found = await resolved.catch(() => realpath(path)).catch(() => undefined);
  // For a file without a path, Linux returns a name that is not a path.
  return found !== undefined && (await isAt(source, found)) ? found : undefined;
}
