import { readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** The task of a thread: read a pipe to its end and write it to a file, both open in this process. */
export interface SpoolTask {
  readonly from: number;
  readonly to: number;
  /** Position in the file to start at. */
  readonly position: number;
  /** It stops once the file exceeds this many bytes. */
  readonly limit: number;
}

/** The result: bytes in the file, or the system's error, which would lose its code between threads. */
export type Spooled = { readonly byteLength: number } | { readonly message: string; readonly code: string | undefined };

/** More than a pipe delivers at once. */
const CHUNK = 1 << 18;
/** Milliseconds to wait if a non-blocking pipe is empty. */
const PAUSE = 1;

if (parentPort !== null) parentPort.postMessage(spool(workerData as SpoolTask));

function spool({ from, to, position, limit }: SpoolTask): Spooled {
  const bytes = Buffer.allocUnsafeSlow(CHUNK);
  let byteLength = position;
  try {
    // Write at once, so that the other process can fill the pipe in the meantime.
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
