import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import type { Source } from '../bytes/source.ts';
import { CompressError, ioError } from '../errors.ts';
import { fileSource } from './source.ts';

/** Data files a model may name: real ones have one or a few; each costs an open file. */
const MAX_DATA_FILES = 4096;

/** The folder a model lies in, and the only place its external data may come from. */
export interface Folder {
  /** Absolute path, links resolved. */
  readonly path: string;
  /**
   * Opens a data file by the location the model gives; one source a file, opened once.
   * @throws CompressError `malformed` when the location would leave the folder, `io` when it cannot be opened.
   */
  open(location: string, where: string): Promise<Source>;
  close(): Promise<void>;
}

/** The folder of the model file at `modelPath`. */
export async function modelFolder(modelPath: string): Promise<Folder> {
  const path = await realpath(dirname(resolve(modelPath))).catch((cause: unknown) => {
    throw ioError(modelPath, cause);
  });
  const opened = new Map<string, Promise<Source>>();
  return {
    path,
    open(location, where) {
      let source = opened.get(location);
      if (source === undefined) {
        if (opened.size >= MAX_DATA_FILES) {
          throw new CompressError('limit', where, `the model names more than ${MAX_DATA_FILES} external data files`);
        }
        source = openInside(path, location, where);
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

async function openInside(folder: string, location: string, where: string): Promise<Source> {
  const shown = JSON.stringify(location.length > 200 ? `${location.slice(0, 200)}…` : location);
  const refuse = (fact: string): CompressError =>
    new CompressError('malformed', where, `external data ${shown} ${fact}`, {
      hint: "External data must be a file inside the model's own folder.",
    });
  if (location === '') throw refuse('has no location');
  if (location.includes('\0')) throw refuse('has a NUL character in its location');
  if (isAbsolute(location) || /^[a-zA-Z]:|^\\/.test(location)) throw refuse('is an absolute path');
  if (location.split(/[\\/]/).includes('..')) throw refuse("would leave the model's folder ('..')");
  const wanted = resolve(folder, location);
  const cannotOpen = (cause: unknown): never => {
    const fact = ioError(wanted, cause).message.slice(`${wanted}: `.length);
    throw new CompressError('io', where, `external data ${shown}: ${fact}`, { cause });
  };
  const real = await realpath(wanted).catch(cannotOpen);
  const inside = relative(folder, real);
  if (inside === '') throw refuse("is the model's folder itself");
  if (inside.startsWith(`..${sep}`) || inside === '..' || isAbsolute(inside)) {
    throw refuse("would leave the model's folder (a symbolic link)");
  }
  return fileSource(real, wanted).catch(cannotOpen);
}
