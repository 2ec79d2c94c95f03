/**
 * Two processes of ours at the ends of one pipe, `onnx-compress prune … | onnx-compress quantize …`. Through a pipe
 * every byte is copied four times, 64 KiB at a time, by processes that wake each other: from the writer into the pipe,
 * into the reader, into a temporary file. Instead the writer makes that file, with threads, and only its name goes
 * through the pipe. Weights that lie in an open file as they are, or but for zeros, are not even in that one: it says
 * where they lie (see references.ts).
 *
 * Where another user could rename or remove files in the folder for temporary ones, the bytes go through the pipe as
 * usual.
 *
 * 1. The reader, before it reads, makes an empty file `onnx-compress-TAG-pipe2-INODE` in the folder for temporary files
 *   (2: of this way to do it; other versions look for other names).
 * 2. The writer looks there for its own pipe. It believes the name only where the file belongs to this user and the
 *   process in it lives here and has that very pipe as its standard input; else it writes into the pipe as ever.
 * 3. It makes `onnx-compress-TAG` in the same folder, the model and after its end the references, removes the reader's
 *   file, and sends {@link MESSAGE}, that tag and how long the model is, which no model begins with.
 * 4. The reader opens the file and those it refers to, cuts the references off, removes its name, and begins. Before
 *   its result counts it reads on: nothing else may come.
 * 5. The writer ends when the name is gone, or fails as with any reader that has stopped. So it does where the reader's
 *   file was gone: what came first was not a model of ours. A reader whose file is gone and that gets anything but the
 *   message fails, too: neither side waits for ever.
 *
 * Whatever ends early, the files are those of a live process that removes them, or of a dead one, and then the next run
 * does.
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

/** Field 0 of a protobuf message, which there is none. */
const MESSAGE = '\0onnx-compress: the model is in ';
const WHOLE = new RegExp(`^${MESSAGE}(${TAG}) (\\d{1,15})\n`);
/** More bytes than references have: some hundred each. */
const MOST_REFERENCES: number = 64 << 20;

/** More bytes than a message has, and fewer than a pipe takes in one piece. */
const LONGEST = 512;

const ANNOUNCED = new RegExp(`^${PREFIX}(${TAG})-pipe2-(\\d{1,20})$`);

/** How often the writer looks whether the reader has the file, in milliseconds. */
const PAUSE = 2;

/** That this process waits for a model. */
export interface Announcement {
  /** Takes it back: from now on bytes go through the pipe. */
  withdraw(): void;
  /**
   * The file that the writer made instead, open and without a name, where this is how the pipe begins.
   * @param bytes - the first ones that came
   * @throws CompressError `io`
   */
  taken(bytes: Uint8Array): Promise<Taken | undefined>;
}

/** A file that came instead of the bytes of a pipe. */
export interface Taken {
  readonly handle: FileHandle;
  readonly byteLength: number;
  /** Where bytes lie that are not in it. */
  readonly references: OpenReferences | undefined;
  /** What came through the pipe after the message. */
  readonly rest: Uint8Array;
}

/**
 * Says that this process is about to read a model from the pipe at `fd`; undefined if there is no such pipe, no
 * telling, or another user could remove the announcement.
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
        // A writer that has our file sends its message only to us: it must not wait for us.
        if (bytes.byteLength > 0 && announced && !existsSync(path))
          throw refusal('there is data before the model that the previous command hands over');
        return undefined;
      }
      const found = WHOLE.exec(start);
      const [message, tag] = found ?? [];
      const writer = tag === undefined ? undefined : liveProcess(tag);
      // Only from a process that holds the other end: no other process can make us open and remove a file.
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

/** What follows the model in a file, which then ends with the model. */
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

/** @throws CompressError `io` for anything but a file of this user that has one name and that no other user may open */
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

/** The process of ours that reads the pipe at `fd` and has said so, by its tag, and the file with which it did. */
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
    // No folder to look into.
    return undefined;
  }
}

/** A model that is written into a file for the process at the other end of a pipe. */
export interface Handover {
  readonly handle: FileHandle;
  readonly path: string;
  /** Leaves a hole in the file, for bytes that the reader will find elsewhere; told in the order of the file. */
  refer(reference: Reference): void;
  /**
   * Gives the file to the reader, and waits until it has it.
   * @param byteLength - of the model
   * @param send - writes into the pipe
   * @throws CompressError `io`
   */
  finish(byteLength: number, send: (bytes: Uint8Array) => Promise<void>): Promise<void>;
  /** Removes the file. */
  abort(): Promise<void>;
}

/**
 * Begins a model for the reader of the pipe at `fd`, where that is a process of ours.
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
