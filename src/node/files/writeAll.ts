import { write } from 'node:fs';
import { promisify } from 'node:util';
import { ioError } from '../../errors.ts';

const writeLater = promisify(write);

/** Maximum bytes of one write. Systems take 2 GiB less a page. */
const MOST: number = 1 << 30;

/**
 * Writes all bytes, in as many writes as the system needs.
 * @param position - in bytes from the start of the file; null: after the last write, as for a pipe
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
