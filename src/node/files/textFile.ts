import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CompressError, ioError } from '../../errors.ts';
import { fileSink } from './sink.ts';

/** Bytes read at a time. */
const PIECE: number = 1 << 16;
/** Milliseconds to wait for the other end of a pipe to be opened. Shells start both ends at once. */
const PATIENCE = 2000;
/** Milliseconds to wait if a pipe is empty. */
const PAUSE = 10;

/**
 * The text of a short file, which may be a pipe such as a shell's `<(command)`.
 * @param most - maximum bytes; only a few more are read from an endless file
 * @throws CompressError `io`, also for a pipe without a writer
 */
export async function readTextFile(path: string, most: number): Promise<string> {
  // Without O_NONBLOCK, opening a pipe would wait for a writer, and no signal would end that.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
  let file: FileHandle | undefined;
  try {
    file = await open(path, flags);
    const isPipe = (await file.stat()).isFIFO();
    const chunks: Buffer[] = [];
    for (let length = 0; length <= most; ) {
      const chunk = await nextOf(file, path, isPipe && length === 0);
      if (chunk.length === 0) break;
      chunks.push(chunk);
      length += chunk.length;
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (cause) {
    throw ioError(path, cause);
  } finally {
    await file?.close();
  }
}

/**
 * The next bytes; empty at the end.
 * @param isUnwritten - for a pipe: nothing has arrived yet, so that an end may mean that no writer has opened it yet
 */
async function nextOf(file: FileHandle, path: string, isUnwritten: boolean): Promise<Buffer> {
  const start = performance.now();
  for (;;) {
    const { buffer, bytesRead } = await file
      .read(Buffer.allocUnsafe(PIECE), 0, PIECE, null)
      .catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'EAGAIN') return { buffer: Buffer.alloc(0), bytesRead: undefined };
        throw cause;
      });
    if (bytesRead !== undefined && (bytesRead > 0 || !isUnwritten)) return buffer.subarray(0, bytesRead);
    if (bytesRead === 0 && performance.now() - start > PATIENCE) {
      throw new CompressError('io', path, 'is a pipe that no program writes to', { hint: 'Name a file.' });
    }
    await sleep(PAUSE);
  }
}

/**
 * Writes a text file, UTF-8. The file appears when it is complete.
 * @param options.overwrite - whether it may replace an existing file
 * @throws CompressError `exists`, `io`
 */
export async function writeTextFile(
  path: string,
  text: string,
  options: { readonly overwrite?: boolean } = {},
): Promise<void> {
  const sink = await fileSink(path, options);
  try {
    await sink.write(new TextEncoder().encode(text));
    await sink.finish();
  } catch (cause) {
    await sink.abort();
    throw cause;
  }
}
