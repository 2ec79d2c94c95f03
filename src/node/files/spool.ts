import { fstatSync, read } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { bytesSource, type Source } from '../../bytes/source.ts';
import { CompressError, ioError } from '../../errors.ts';
import { sharesDescriptors } from '../threads/descriptors.ts';
import { handleSource } from './handle.ts';
import { announce, type Taken } from './handover.ts';
import { blockingPipe } from './pipe.ts';
import { referringSource } from './references.ts';
import type { Spooled, SpoolTask } from './spoolThread.ts';
import { temporaries } from './temporary.ts';
import { openTemporary } from './temporaryFile.ts';
import { writeAll } from './writeAll.ts';

const readLater = promisify(read);

/** A pipe with less than this stays in memory; a longer one goes to a temporary file. */
const IN_MEMORY = 32 * 1024 * 1024;

/** An ONNX file ends below 2 GiB; without a bound an endless pipe would fill the disk. */
const MAX_SPOOL = 2 ** 31;

/** Bytes that are looked at before the rest is waited for, at the least. */
const BEGINNING = 512;

/** Checks the first bytes of a possibly long stream, and throws if they are wrong. */
export type CheckBeginning = (bytes: Uint8Array, label: string) => Promise<void>;

/**
 * Reads a stream to its end into a temporary file, so that it can be read at any position. The file is unlinked as soon
 * as it is open, so no signal can leave it behind.
 * @throws CompressError `malformed` if the stream is empty
 */
export async function spool(
  stream: AsyncIterable<Uint8Array>,
  label = '<stdin>',
  check?: CheckBeginning,
): Promise<Source> {
  const held: Uint8Array[] = [];
  let byteLength = 0;
  let file: FileHandle | undefined;
  let behind: WriteBehind | undefined;
  try {
    for await (const chunk of stream) {
      byteLength += chunk.byteLength;
      if (byteLength > MAX_SPOOL) {
        throw tooLong(label);
      }
      if (file === undefined) held.push(chunk);
      if (byteLength >= BEGINNING && byteLength - chunk.byteLength < BEGINNING) {
        await check?.(Buffer.concat(held), label);
      }
      if (file === undefined && byteLength > IN_MEMORY) {
        file = await openUnnamed();
        behind = new WriteBehind(file, label);
        for (const early of held.splice(0)) await behind.add(early);
      } else {
        await behind?.add(chunk);
      }
    }
    await behind?.flush();
  } catch (cause) {
    await behind?.settle();
    await file?.close();
    throw ioError(label, cause);
  }
  return file === undefined ? whole(held, label) : handleSource(file, label);
}

/**
 * Standard input as a source: read in place when it is a redirected file, spooled when it is a pipe.
 * @param stdin - its stream, made only where it is needed: a pipe it was made for does not wait for readers any more
 * @param check - for what is spooled: so much may come, and for so long, that the wrong thing is refused at its first
 *   bytes
 */
export async function stdinSource(stdin: () => AsyncIterable<Uint8Array>, check?: CheckBeginning): Promise<Source> {
  const found = fstatSync(0);
  if (found.isDirectory()) throw new CompressError('io', '<stdin>', 'is a folder, not a file');
  if (found.isFile() && process.platform === 'linux') {
    // /proc/self/fd/0 opens the same file again, at position 0 and with a handle of its own.
    const handle = await open('/proc/self/fd/0', 'r').catch(() => undefined);
    if (handle !== undefined) {
      const source = await handleSource(handle, '<stdin>');
      if (source.byteLength > 0) return source;
      await source.close();
    }
  }
  // Threads run the built package, tests the sources; Windows has pipes of another kind.
  const threads = !import.meta.url.endsWith('.ts') && process.platform !== 'win32' && sharesDescriptors();
  if (threads && (found.isFIFO() || found.isSocket())) return spoolPipe(0, { check });
  return spool(stdin(), '<stdin>', check);
}

/** What arrives of a pipe before a thread reads the rest: most models, which need neither thread nor file. */
const FIRST = 4 << 20;

/** As much as a pipe holds, in Linux. */
const PIPE = 1 << 16;

/** How long to wait where a pipe that does not block has nothing, in milliseconds. */
const PAUSE = 1;

/** How a pipe is spooled. */
export interface SpoolOptions {
  readonly label?: string;
  /** Bytes that may arrive, more than a few MiB. */
  readonly limit?: number;
  readonly check?: CheckBeginning | undefined;
}

/**
 * As {@link spool}, of a pipe by its descriptor. Streams take 64 KiB a turn of the event loop; a thread that waits for
 * the pipe and writes what came takes a third of the time.
 * @throws CompressError `malformed` when nothing arrives, `limit`
 */
export async function spoolPipe(
  fd: number,
  { label = '<stdin>', limit = MAX_SPOOL, check }: SpoolOptions = {},
): Promise<Source> {
  const announcement = announce(fd);
  const waiting = await blockingPipe(fd, 'r');
  const from = waiting?.fd ?? fd;
  let file: FileHandle | undefined;
  let waits: Promise<unknown> | undefined;
  try {
    const first = await readPipe(from);
    const taken = await announcement?.taken(first);
    announcement?.withdraw();
    if (taken !== undefined) {
      const end = taken.rest.byteLength > 0 ? Promise.resolve(taken.rest) : readPipe(from);
      waits = end;
      return await handedOver(taken, end, { label, limit });
    }
    const begun = await beginning(first, from, async (bytes) => check?.(bytes, label));
    const arrived = begun.reduce((sum, one) => sum + one.byteLength, 0);
    if (arrived < FIRST) return whole(begun, label);
    file = await openUnnamed();
    await writeAll(file.fd, Buffer.concat(begun), 0, label);
    const spooled = await spoolInThread({ from, to: file.fd, position: arrived, limit });
    if ('message' in spooled) throw Object.assign(new Error(spooled.message), { code: spooled.code });
    if (spooled.byteLength > limit) throw tooLong(label);
    return await handleSource(file, label);
  } catch (cause) {
    await file?.close();
    throw ioError(label, cause);
  } finally {
    announcement?.withdraw();
    const close = async (): Promise<void> => waiting?.close();
    if (waits === undefined) await close();
    else waits.then(close, close).catch(() => {});
  }
}

/**
 * A model that was handed over. Its writer ends a little later, and is not waited for until the result is to count:
 * then nothing may have come after it.
 * @param end - what comes next through the pipe
 */
async function handedOver(
  { handle, byteLength, references }: Taken,
  end: Promise<Uint8Array>,
  { label, limit }: { readonly label: string; readonly limit: number },
): Promise<Source> {
  try {
    if (byteLength > limit) throw tooLong(label);
    const base = await handleSource(handle, label);
    const source = references === undefined ? base : referringSource(base, references);
    // Its failure is told where it is asked for; until then it must not be an unhandled rejection.
    end.catch(() => {});
    return {
      ...source,
      async unchanged() {
        await source.unchanged?.();
        const { byteLength: more } = await end.catch((cause: unknown) => {
          throw ioError(label, cause);
        });
        if (more > 0) {
          const hint = 'Does another command write into the same pipe?';
          throw new CompressError('io', label, 'there is data after the model', { hint });
        }
      },
    };
  } catch (cause) {
    await references?.close();
    await handle.close();
    throw cause;
  }
}

/** The first {@link FIRST} bytes of a pipe or a few more, or all of a shorter one. */
async function beginning(
  first: Uint8Array,
  fd: number,
  check: (bytes: Uint8Array) => Promise<void>,
): Promise<Uint8Array[]> {
  const held: Uint8Array[] = [];
  let byteLength = 0;
  for (let chunk = first; chunk.byteLength > 0; chunk = await readPipe(fd)) {
    held.push(chunk);
    if (byteLength < BEGINNING && byteLength + chunk.byteLength >= BEGINNING) await check(Buffer.concat(held));
    byteLength += chunk.byteLength;
    if (byteLength >= FIRST) break;
  }
  return held;
}

/** What a pipe has now, waited for; empty at its end. */
async function readPipe(fd: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(PIPE);
  for (;;) {
    try {
      const { bytesRead } = await readLater(fd, buffer, 0, PIPE, null);
      return bytesRead > PIPE / 2 ? buffer.subarray(0, bytesRead) : new Uint8Array(buffer.subarray(0, bytesRead));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') throw cause;
      await sleep(PAUSE);
    }
  }
}

function spoolInThread(task: SpoolTask): Promise<Spooled> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./spoolThread.js', import.meta.url), { workerData: task, execArgv: [] });
    thread.once('message', resolve);
    thread.once('error', reject);
  });
}

/** All of a short pipe. */
function whole(held: readonly Uint8Array[], label: string): Source {
  if (held.length > 0) return bytesSource(Buffer.concat(held), label);
  throw new CompressError('malformed', label, 'no data arrived; a model was expected', {
    hint: 'Did the previous command in the pipe fail?',
  });
}

function tooLong(label: string): CompressError {
  return new CompressError('limit', label, 'more than 2 GiB arrived; ONNX files are smaller than that');
}

/** A temporary file without a name, which goes when it is closed. */
async function openUnnamed(): Promise<FileHandle> {
  const { handle, path } = await openTemporary();
  // On Windows an open file cannot be unlinked: there it stays in the temporary folder until the process ends.
  await unlink(path).then(
    () => temporaries.delete(path),
    () => {},
  );
  return handle;
}

/** Bytes written at a time; as many again may wait, so that reading and writing overlap. */
const BATCH = 4 << 20;

/** Writes chunks to a file while the next ones arrive: pipes bring 64 KiB at a time. */
class WriteBehind {
  readonly #file: FileHandle;
  readonly #label: string;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(file: FileHandle, label: string) {
    this.#file = file;
    this.#label = label;
  }

  /** Takes a chunk, which must not change any more. */
  async add(chunk: Uint8Array): Promise<void> {
    this.#waiting.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes >= BATCH) await this.#start();
  }

  /** Writes what is left. */
  async flush(): Promise<void> {
    await this.#start();
    await this.#writing;
  }

  /** Waits until nothing is being written, whatever became of it. */
  async settle(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  /** Begins to write what waits, when the batch before is out. */
  async #start(): Promise<void> {
    await this.#writing;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    this.#writing = writeAll(this.#file.fd, Buffer.concat(batch), null, this.#label);
    // Its failure is told by the next await; until then it must not be an unhandled rejection.
    this.#writing.catch(() => {});
  }
}
