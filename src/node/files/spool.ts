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

/** Shorter pipes stay in memory; longer ones go to a temporary file. */
const IN_MEMORY = 32 * 1024 * 1024;

/** Maximum bytes. An ONNX file is smaller than 2 GiB; without a limit an endless pipe would fill the disk. */
const MAX_SPOOL = 2 ** 31;

/** Minimum bytes that are checked before the rest is awaited. */
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
 * Standard input as a source: a redirected file is read in place, a pipe is spooled.
 * @param stdin - creates its stream, only if needed, because that makes a pipe non-blocking
 * @param check - for spooled input: much data may take long to arrive, so wrong input is refused at its first bytes
 */
export async function stdinSource(stdin: () => AsyncIterable<Uint8Array>, check?: CheckBeginning): Promise<Source> {
  const found = fstatSync(0);
  if (found.isDirectory()) throw new CompressError('io', '<stdin>', 'is a folder, not a file');
  if (found.isFile() && process.platform === 'linux') {
    // /proc/self/fd/0 reopens the same file, at position 0 and with its own handle.
    const handle = await open('/proc/self/fd/0', 'r').catch(() => undefined);
    if (handle !== undefined) {
      const source = await handleSource(handle, '<stdin>');
      if (source.byteLength > 0) return source;
      await source.close();
    }
  }
  // Threads run the built package, tests the sources; pipes of Windows work differently.
  const threads = !import.meta.url.endsWith('.ts') && process.platform !== 'win32' && sharesDescriptors();
  if (threads && (found.isFIFO() || found.isSocket())) return spoolPipe(0, { check });
  return spool(stdin(), '<stdin>', check);
}

/**
 * Bytes of a pipe that are read before a thread takes over: enough for most models, which need neither thread nor file.
 */
const FIRST = 4 << 20;

/** Capacity of a pipe in Linux. */
const PIPE = 1 << 16;

/** Milliseconds to wait if a non-blocking pipe is empty. */
const PAUSE = 1;

/** Options of spooling a pipe. */
export interface SpoolOptions {
  readonly label?: string;
  /** Maximum bytes, more than a few MiB. */
  readonly limit?: number;
  readonly check?: CheckBeginning | undefined;
}

/**
 * As {@link spool}, for a pipe by its descriptor. Streams take 64 KiB per turn of the event loop; a thread that blocks
 * on the pipe and writes what arrives takes a third of the time.
 * @throws CompressError `malformed` if the pipe is empty, `limit`
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
 * A model that was handed over. Its writer ends a little later, and is awaited only when the result must count: nothing
 * may follow the model.
 * @param end - reads what comes next through the pipe
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
    // Mark as handled; whoever awaits it reports the error.
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

/** At least the first {@link FIRST} bytes of a pipe, or all of a shorter one. */
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

/** Waits for the next bytes of a pipe; empty at its end. */
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

/** A short pipe in memory. */
function whole(held: readonly Uint8Array[], label: string): Source {
  if (held.length > 0) return bytesSource(Buffer.concat(held), label);
  throw new CompressError('malformed', label, 'no data arrived; a model was expected', {
    hint: 'Did the previous command in the pipe fail?',
  });
}

function tooLong(label: string): CompressError {
  return new CompressError('limit', label, 'more than 2 GiB arrived; ONNX files are smaller than that');
}

/** A temporary file without a name, which is removed when it is closed. */
async function openUnnamed(): Promise<FileHandle> {
  const { handle, path } = await openTemporary();
  // Windows cannot unlink an open file: it stays in the temporary folder until the process ends.
  await unlink(path).then(
    () => temporaries.delete(path),
    () => {},
  );
  return handle;
}

/** Bytes written at a time; as many may be queued, so that reading and writing overlap. */
const BATCH = 4 << 20;

/** Writes chunks to a file while the next ones arrive: pipes deliver 64 KiB at a time. */
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

  /** Takes a chunk, which must not change afterwards. */
  async add(chunk: Uint8Array): Promise<void> {
    this.#waiting.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes >= BATCH) await this.#start();
  }

  /** Writes the rest. */
  async flush(): Promise<void> {
    await this.#start();
    await this.#writing;
  }

  /** Waits until no write is pending, whatever its result. */
  async settle(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  /** Writes the queued chunks after the previous batch. */
  async #start(): Promise<void> {
    await this.#writing;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    this.#writing = writeAll(this.#file.fd, Buffer.concat(batch), null, this.#label);
    // Mark as handled; the next await reports the error.
    this.#writing.catch(() => {});
  }
}
