import { readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** What a thread is to do: read a pipe to its end and write it into a file, both open in this process. */
export interface SpoolTask {
  readonly from: number;
  readonly to: number;
  /** Where in the file to begin. */
  readonly position: number;
  /** It stops where the file has more than so many bytes. */
  readonly limit: number;
}

/** How it went: bytes in the file, or the system's error, which loses its code on the way between threads. */
export type Spooled = { readonly byteLength: number } | { readonly message: string; readonly code: string | undefined };

/** More than a pipe gives at once. */
const CHUNK = 1 << 18;
/** How long to wait where a pipe that does not block has nothing, in milliseconds. */
const PAUSE = 1;

if (parentPort !== null) parentPort.postMessage(spool(workerData as SpoolTask));

function spool({ from, to, position, limit }: SpoolTask): Spooled {
  const bytes = Buffer.allocUnsafeSlow(CHUNK);
  let byteLength = position;
  try {
    // What arrived is written at once: the other process fills the pipe meanwhile.
    for (let count = read(from, bytes); count > 0 && byteLength <= limit; count = read(from, bytes)) {
      for (let done = 0; done < count; ) done += writeSync(to, bytes, done, count - done, byteLength + done);
      byteLength += count;
    }
    return { byteLength };
  } catch (cause) {
    return { message: (cause as Error).message, code: (cause as NodeJS.ErrnoException).code };
  }
}

function read(fd: number, into: Uint8Array): number {
  for (;;) {
    try {
      return readSync(fd, into, 0, into.length, null);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') throw cause;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
    }
  }
}
