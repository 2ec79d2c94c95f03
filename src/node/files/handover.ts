/**
 * Handover between two processes of this program at the ends of one pipe, `onnx-compress prune … | onnx-compress
 * quantize …`. Through a pipe every byte is copied four times, 64 KiB at a time, by processes that wake each other:
 * from the writer into the pipe, into the reader, into a temporary file. Instead, the writer creates that file, using
 * threads, and sends only its name through the pipe. Weights that are already in an open file, unchanged or with more
 * zeros, are not copied at all: the file refers to them (see references.ts).
 *
 * If another user could rename or remove files in the temporary folder, the bytes go through the pipe as usual.
 *
 * 1. Before reading, the reader creates an empty file `onnx-compress-TAG-pipe2-INODE` in the temporary folder (2 is the
 * version of this protocol; other versions look for other names).
 * 2. The writer looks there for its own pipe. It trusts the name only if the file belongs to this user, and if its
 * process is alive on this host and has that very pipe as its standard input; otherwise it writes into the pipe.
 * 3. It creates `onnx-compress-TAG` in the same folder: the model, followed by the references. It removes the reader's
 * file, and sends {@link MESSAGE}, which no model begins with, that tag, and the length of the model.
 * 4. The reader opens the file and those it refers to, cuts off the references, removes its name, and begins. Before
 * its result counts, it reads on: nothing else may follow.
 * 5. The writer ends when the name is gone, or fails as with any reader that has stopped. It also fails if the reader's
 * file was gone, because then the pipe had started with something else. A reader whose file is gone and that receives
 * anything but the message fails, too, so neither side waits forever.
 *
 * Whichever side ends early, the files belong to a live process, which removes them, or to a dead one, and then the
 * next run does.
 */
import { constants, existsSync, lstatSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CompressError, ioError } from '../../errors.ts';
import { liveProcess, newTag, PREFIX, TAG } from './owner.ts';
import { pipeOf } from './pipe.ts';
import { readPlace } from './place.ts';
import { type OpenReferences, openReferences, type Reference, ReferenceList } from './references.ts';
import { removeAtExit, temporaries, temporariesKeepTheirNames, temporaryPath } from './temporary.ts';
import { openTemporary } from './temporaryFile.ts';
import { writeAll } from './writeAll.ts';

/** Field 0 of a protobuf message, which does not exist. */
const MESSAGE = '\0onnx-compress: the model is in ';
const WHOLE = new RegExp(`^${MESSAGE}(${TAG}) (\\d{1,15})\n`);
/** Maximum bytes of the references; each has a few hundred. */
const MOST_REFERENCES: number = 64 << 20;

/** Maximum bytes of the message; a pipe takes this many at once. */
const LONGEST = 512;

const ANNOUNCED = new RegExp(`^${PREFIX}(${TAG})-pipe2-(\\d{1,20})$`);

/** Interval, in milliseconds, at which the writer checks whether the reader has the file. */
const PAUSE = 2;

/** Announces that this process waits for a model. */
export interface Announcement {
  /** Withdraws it: from now on bytes go through the pipe. */
  withdraw(): void;
  /**
   * The file that the writer made instead, open and without a name, if the pipe begins with the message.
   * @param bytes - the first bytes that arrived
   * @throws CompressError `io`
   */
  taken(bytes: Uint8Array): Promise<Taken | undefined>;
}

/** A file that was sent in place of the bytes. */
export interface Taken {
  readonly handle: FileHandle;
  readonly byteLength: number;
  /** References to bytes in other files. */
  readonly references: OpenReferences | undefined;
  /** Bytes that followed the message in the pipe. */
  readonly rest: Uint8Array;
}

/**
 * Announces that this process is about to read a model from the pipe at `fd`; undefined if this is not a pipe or cannot
 * be told, or if another user could remove the announcement.
 */
export function announce(fd: number): Announcement | undefined {
  const pipe = pipeOf(fd);
  if (pipe === undefined || !temporariesKeepTheirNames()) return undefined;
  const path = `${temporaryPath()}-pipe2-${pipe}`;
  try {
    removeAtExit(path);
    writeFileSync(path, '', { flag: 'wx', mode: 0o600 });
  } catch {
    temporaries.delete(path);
    return undefined;
  }
  let announced = true;
  const withdraw = (): void => {
    announced = false;
    rmSync(path, { force: true });
    temporaries.delete(path);
  };
  return {
    withdraw,
    async taken(bytes) {
      const start = Buffer.from(bytes.subarray(0, LONGEST)).toString('latin1');
      if (!start.startsWith(MESSAGE)) {
        // A writer that has our announcement sends only the message, and must not wait for us.
        if (bytes.byteLength > 0 && announced && !existsSync(path))
          throw refusal('there is data before the model that the previous command hands over');
        return undefined;
      }
      const found = WHOLE.exec(start);
      const [message, tag] = found ?? [];
      const writer = tag === undefined ? undefined : liveProcess(tag);
      // Accept it only from a process that holds the other end, so that no other process can make us open and remove a
      // file.
      if (message === undefined || tag === undefined || writer === undefined || pipeOf(1, writer) !== pipe) {
        throw refusal('the process that hands over a model does not write to this pipe');
      }
      withdraw();
      const file = temporaryPath(tag);
      const handle = await open(file, constants.O_RDWR | constants.O_NOFOLLOW).catch((cause: unknown) => {
        throw refusal('the file that the previous command hands over cannot be opened', cause);
      });
      let references: OpenReferences | undefined;
      try {
        await checkOurs(handle);
        const byteLength = Number(found?.at(-1));
        references = await trailingReferences(handle, byteLength, writer);
        await unlink(file);
        return { handle, byteLength, references, rest: bytes.subarray(message.length) };
      } catch (cause) {
        await references?.close();
        await handle.close();
        throw cause;
      }
    },
  };
}

/** Reads the references after the model in a file, and truncates the file to the model. */
async function trailingReferences(
  handle: FileHandle,
  byteLength: number,
  writer: number,
): Promise<OpenReferences | undefined> {
  const { size } = await handle.stat();
  if (size === byteLength) return undefined;
  if (size < byteLength || size - byteLength > MOST_REFERENCES)
    throw refusal('the model that the previous command hands over is incomplete');
  const text = Buffer.alloc(size - byteLength);
  await readPlace({ fd: handle.fd, position: byteLength }, text, 0, '<stdin>');
  const references = await openReferences(text.toString('utf8'), writer, byteLength);
  try {
    await handle.truncate(byteLength);
  } catch (cause) {
    await references.close();
    throw cause;
  }
  return references;
}

/** @throws CompressError `io` unless it is a file of this user, with one name, that no other user may open */
async function checkOurs(handle: FileHandle): Promise<void> {
  const { uid, nlink, mode } = await handle.stat();
  if (uid === process.getuid?.() && nlink === 1 && mode === (constants.S_IFREG | 0o600)) return;
  throw refusal('the file that is handed over is not from onnx-compress');
}

function refusal(fact: string, cause?: unknown): CompressError {
  const why = cause === undefined ? '' : `: ${ioError('', cause).message}`;
  return new CompressError('io', '<stdin>', `${fact}${why}`, { cause });
}

/** A regular file of this user. */
function isOurs(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && found.uid === process.getuid?.();
}

/** The process of this program that reads the pipe at `fd` and has announced itself: its tag and announcement file. */
function readerOf(fd: number): { readonly tag: string; readonly announcement: string } | undefined {
  const pipe = pipeOf(fd);
  if (pipe === undefined || !temporariesKeepTheirNames()) return undefined;
  const folder = tmpdir();
  try {
    return readdirSync(folder).flatMap((name) => {
      const found = ANNOUNCED.exec(name);
      const [tag, announced] = [found?.[1], found?.at(-1)];
      if (tag === undefined || announced !== pipe || !isOurs(join(folder, name))) return [];
      const process = liveProcess(tag);
      const here = process !== undefined && pipeOf(0, process) === pipe;
      return here ? [{ tag, announcement: join(folder, name) }] : [];
    })[0];
  } catch {
    // The folder cannot be read.
    return undefined;
  }
}

/** A model that is written to a file for the process at the other end of a pipe. */
export interface Handover {
  readonly handle: FileHandle;
  readonly path: string;
  /** Leaves a hole in the file for bytes that the reader finds elsewhere; called in file order. */
  refer(reference: Reference): void;
  /**
   * Gives the file to the reader, and waits until the reader has opened it.
   * @param byteLength - of the model
   * @param send - writes into the pipe
   * @throws CompressError `io`
   */
  finish(byteLength: number, send: (bytes: Uint8Array) => Promise<void>): Promise<void>;
  /** Removes the file. */
  abort(): Promise<void>;
}

/**
 * Begins a model for the reader of the pipe at `fd`; undefined if it is not a process of this program.
 * @throws CompressError `io`
 */
export async function handOver(fd: number, label: string): Promise<Handover | undefined> {
  const reader = readerOf(fd);
  if (reader === undefined) return undefined;
  const tag = newTag();
  const { handle, path } = await openTemporary(tag);
  const references = new ReferenceList();
  const abort = async (): Promise<void> => {
    await handle.close().catch(() => {});
    rmSync(path, { force: true });
    temporaries.delete(path);
  };
  return {
    handle,
    path,
    refer: (reference) => references.add(reference),
    async finish(byteLength, send) {
      await handle.truncate(byteLength);
      if (references.length > 0) {
        await writeAll(handle.fd, Buffer.from(references.text()), byteLength, path);
      }
      const stopped = (): CompressError =>
        ioError(label, Object.assign(new Error('the reader has ended'), { code: 'EPIPE' }));
      try {
        unlinkSync(reader.announcement);
      } catch {
        throw stopped();
      }
      await send(Buffer.from(`${MESSAGE}${tag} ${byteLength}\n`));
      while (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
        if (liveProcess(reader.tag) === undefined) throw stopped();
        await sleep(PAUSE);
      }
      await abort();
    },
    abort,
  };
}
