import { readSync } from 'node:fs';
import { type FileHandle, stat as statOf } from 'node:fs/promises';
import { setImmediate as breath } from 'node:timers/promises';
import { becameShorter, checkRange, oneFile, type Source } from '../../bytes/source.ts';
import { CompressError, ioError } from '../../errors.ts';
import { useThreads } from '../threads/executor.ts';

/**
 * Long reads are split into pieces of this size, which the system then serves in parallel: filling fresh memory takes
 * longer than finding the bytes. (Node also refuses single reads of 2 GiB and more.)
 */
const PIECE: number = 8 << 20;

/** Reads up to this size are synchronous: asking another thread takes ten times as long. */
const SHORT: number = 64 << 10;

/** Milliseconds after which signals, timers and streams get a turn between two such reads. */
const SLICE = 4;

/** Time of their last turn. */
let breathed = 0;

/** Reads up to this size also read ahead, because thousands of small weights are adjacent. */
const SMALL: number = 2 << 10;

/** Bytes to read ahead. */
const NEAR: number = 32 << 10;

/**
 * A source over an open file handle; `close()` closes the handle.
 * @param path - where it was opened; undefined for a file without a name
 */
export async function handleSource(handle: FileHandle, label: string, path?: string): Promise<Source> {
  useThreads();
  const stat = await handle.stat();
  if (stat.isDirectory()) throw new CompressError('io', label, 'is a folder, not a file');
  if (!stat.isFile()) throw new CompressError('io', label, 'is not a regular file');
  const byteLength = stat.size;
  const readNow = (bytes: Uint8Array, at: number, position: number): number => {
    try {
      return readSync(handle.fd, bytes, at, bytes.length - at, position + at);
    } catch (cause) {
      throw ioError(label, cause);
    }
  };
  const readLater = async (bytes: Uint8Array, at: number, position: number): Promise<number> => {
    const { bytesRead } = await handle.read(bytes, at, bytes.length - at, position + at).catch((cause: unknown) => {
      throw ioError(label, cause);
    });
    return bytesRead;
  };
  const fill = async (bytes: Uint8Array, position: number): Promise<void> => {
    for (let done = 0; done < bytes.length; ) {
      const count = bytes.length <= SHORT ? readNow(bytes, done, position) : await readLater(bytes, done, position);
      if (count === 0) throw becameShorter({ label, byteLength });
      done += count;
    }
    if (performance.now() - breathed < SLICE) return;
    await breath();
    breathed = performance.now();
  };
  let near: { readonly start: number; readonly bytes: Uint8Array } | undefined;
  const small = async (start: number, end: number): Promise<Uint8Array> => {
    if (near === undefined || start < near.start || end > near.start + near.bytes.length) {
      const bytes = allocate(Math.min(NEAR, byteLength - start), label);
      await fill(bytes, start);
      near = { start, bytes };
      return bytes.subarray(0, end - start);
    }
    return near.bytes.subarray(start - near.start, end - near.start);
  };
  return {
    label,
    byteLength,
    async read(start, end) {
      checkRange(label, start, end, byteLength);
      if (end - start <= SMALL) return small(start, end);
      const bytes = allocate(end - start, label);
      const reads: Promise<void>[] = [];
      for (let at = 0; at < bytes.length; at += PIECE) reads.push(fill(bytes.subarray(at, at + PIECE), start + at));
      // Wait for all of them before an error is passed on, because the handle may then be closed.
      const failed = (await Promise.allSettled(reads)).find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return bytes;
    },
    async readInto(target, start) {
      checkRange(label, start, start + target.byteLength, byteLength);
      await fill(target, start);
    },
    files: oneFile(handle.fd),
    async unchanged() {
      const now = await handle.stat();
      if (now.size !== byteLength || now.mtimeMs !== stat.mtimeMs) {
        throw new CompressError('io', label, 'was changed while it was being read', CHANGED);
      }
      // A removed name does no harm: the file itself is read to its end.
      const named = path === undefined ? undefined : await statOf(path).catch(() => undefined);
      if (named !== undefined && (named.ino !== stat.ino || named.dev !== stat.dev)) {
        throw new CompressError('io', label, 'was replaced by another file while it was being read', CHANGED);
      }
    },
    close: () => handle.close(),
  };
}

/** Hint for a file that was changed. */
export const CHANGED: { readonly hint: string } = { hint: 'Try again when no other program is writing it.' };

/**
 * Memory for bytes that will be read.
 * @throws CompressError `limit`
 */
export function allocate(byteLength: number, label: string): Uint8Array {
  try {
    return Buffer.allocUnsafe(byteLength);
  } catch (cause) {
    throw new CompressError('limit', label, `${byteLength} bytes do not fit into memory`, { cause });
  }
}
