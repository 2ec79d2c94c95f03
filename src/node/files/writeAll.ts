import { write } from 'node:fs';
import { promisify } from 'node:util';
import { ioError } from '../../errors.ts';

const writeLater = promisify(write);

/** Systems take no more at once: 2 GiB less a page. */
const MOST: number = 1 << 30;

/**
 * Writes all of the bytes, in as many goes as the system takes.
 * @param position - in bytes from the start of the file; null: after what was written last, as into a pipe
 * @param label - what errors call the file
 * @throws CompressError `io`
 */
export async function writeAll(fd: number, bytes: Uint8Array, position: number | null, label: string): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const at = position === null ? null : position + done;
    const length = Math.min(bytes.byteLength - done, MOST);
    const { bytesWritten } = await writeLater(fd, bytes, done, length, at).catch((cause: unknown) => {
      throw ioError(label, cause);
    });
    done += bytesWritten;
  }
}
