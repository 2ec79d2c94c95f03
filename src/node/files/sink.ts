import { closeSync, openSync, rmSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Sink } from '../../bytes/sink.ts';
import { CompressError, ioError } from '../../errors.ts';
import { cloneFile } from './clone.ts';
import { commit, type Pending, refuseExisting } from './commit.ts';
import { Gatherer } from './gather.ts';
import { hiddenName } from './hidden.ts';
import { clearLeftovers } from './leftovers.ts';
import { newTag } from './owner.ts';
import { descriptorTo, throughPath } from './standard.ts';
import { refuseUnwritable, targetOf } from './target.ts';
import { temporaries } from './temporary.ts';
import { writeAll } from './writeAll.ts';

export { removeTemporaries } from './temporary.ts';

/** How to write a file. */
export interface FileSinkOptions {
  /** Replace an existing file. */
  readonly overwrite?: boolean;
  /** For a data file: the model it belongs to. */
  readonly model?: string;
}

/** The two steps of finishing a file, see {@link finishTogether}. */
interface Ending {
  complete(): Promise<Pending>;
  named(): void;
}
const endings = new WeakMap<Sink, Ending>();

/**
 * A sink for a file that appears under `path` only when it is complete: bytes go to a hidden file in the same folder,
 * which `finish()` renames. Hidden files that a killed run left there are removed first. If the path is a link, the
 * file it points to is written. If it leads to a descriptor, a pipe or a device, bytes are streamed.
 * @throws CompressError `exists` if the file exists and `overwrite` is not set, `io` if the folder does not exist
 */
export async function fileSink(path: string, options: FileSinkOptions = {}): Promise<Sink> {
  // The user did not name the data file, so a link in its place is not followed.
  const target = options.model === undefined ? targetOf(path) : ({ kind: 'file', path } as const);
  if (target.kind === 'file') return newFile(target.path, options);
  refuseUnwritable(target, path);
  return target.kind === 'descriptor' ? descriptorTo(target.fd, path) : throughPath(target.path, path);
}

async function newFile(path: string, options: FileSinkOptions): Promise<Sink> {
  const overwrite = options.overwrite ?? false;
  await clearLeftovers(path, options.model);
  refuseExisting(path, overwrite);
  const temporary = join(dirname(path), hiddenName(basename(path), newTag(), 'tmp'));
  let handle = await openNew(temporary, await modeOf(path)).catch((cause: unknown) => {
    temporaries.delete(temporary);
    throw folderError(path, cause);
  });
  let position = 0;
  const gather = new Gatherer(async (bytes) => {
    await writeAll(handle.fd, bytes, position, path);
    position += bytes.byteLength;
  });
  let appeared = false;
  const discard = (): void => {
    rmSync(temporary, { force: true });
    temporaries.delete(temporary);
  };
  const ending: Ending = {
    async complete() {
      await gather.flush();
      await handle.close().catch((cause: unknown) => {
        throw ioError(path, cause);
      });
      return { path, temporary, overwrite };
    },
    named: () => void temporaries.delete(temporary),
  };
  const sink: Sink = {
    label: path,
    write: (chunk) => gather.add(chunk),
    async reserve(byteLength) {
      await gather.flush();
      const place = { fd: handle.fd, position };
      position += byteLength;
      return place;
    },
    async clone(source) {
      const { mode } = await handle.stat();
      const clone = await cloneFile(source, temporary, mode & 0o777).catch((cause: unknown) => {
        throw folderError(path, cause);
      });
      if (clone === undefined) return false;
      await handle.close().catch(() => {});
      handle = clone.handle;
      return clone.copied;
    },
    async finish() {
      const pending = await ending.complete();
      const replaces = (await stat(path).catch(() => undefined)) !== undefined;
      try {
        commit([pending]);
        ending.named();
        appeared = !replaces;
      } catch (cause) {
        discard();
        throw cause;
      }
    },
    async abort() {
      await handle.close().catch(() => {});
      discard();
      // A file of the same group could not be finished, so nothing new must remain.
      if (appeared) rmSync(path, { force: true });
    },
  };
  endings.set(sink, ending);
  return sink;
}

/**
 * Finishes sinks of a group, the model's last. Files get their names all at once or not at all ({@link commit}); after
 * an error every sink must still be aborted.
 * @throws CompressError `exists`, `io`
 */
export async function finishTogether(sinks: readonly Sink[]): Promise<void> {
  const ends = sinks.flatMap((sink) => endings.get(sink) ?? []);
  if (ends.length !== sinks.length || ends.length < 2) {
    for (const sink of sinks) await sink.finish();
    return;
  }
  const pending: Pending[] = [];
  for (const end of ends) pending.push(await end.complete());
  commit(pending);
  for (const end of ends) end.named();
}

/** Creates a file and registers it for removal in one step, so that no signal comes in between. */
async function openNew(path: string, mode: number): Promise<FileHandle> {
  closeSync(openSync(path, 'wx', mode | OWNER_WRITES));
  temporaries.add(path);
  const handle = await open(path, 'r+');
  if ((mode & OWNER_WRITES) === 0) await handle.chmod(mode);
  return handle;
}

/** The owner's write permission. */
const OWNER_WRITES = 0o200;

/** Permissions for a new file: those of the file it replaces, so that a private one stays private. */
async function modeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 0o666 : found.mode & 0o777;
}

/**
 * Checks that {@link fileSink} could write `path`, before long work.
 * @throws CompressError `exists`, `io`
 */
export async function checkTarget(path: string, overwrite: boolean): Promise<void> {
  const target = targetOf(path);
  if (target.kind !== 'file') return refuseUnwritable(target, path);
  await checkFile(target.path, overwrite);
}

async function checkFile(path: string, overwrite: boolean): Promise<void> {
  await clearLeftovers(path);
  refuseExisting(path, overwrite);
  await stat(dirname(path)).catch((cause: unknown) => {
    throw folderError(path, cause);
  });
}

function folderError(path: string, cause: unknown): CompressError {
  const error = ioError(path, cause);
  if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') return error;
  return new CompressError('io', path, `the folder ${dirname(path)} does not exist`, { cause });
}
