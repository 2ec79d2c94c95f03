import { read } from 'node:fs';
import { promisify } from 'node:util';
import { CompressError, ioError } from '../../errors.ts';

const readLater = promisify(read);

/**
 * Fills bytes from a file.
 * @param position - in bytes from the start of the file
 * @param label - what errors call the file
 * @throws CompressError `io`, also if the file ends early
 */
export async function readAll(fd: number, bytes: Uint8Array, position: number, label: string): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const length = bytes.byteLength - done;
    const { bytesRead } = await readLater(fd, bytes, done, length, position + done).catch((cause: unknown) => {
      throw ioError(label, cause);
    });
    if (bytesRead === 0) throw new CompressError('io', label, 'became shorter while it was being read');
    done += bytesRead;
  }
}
