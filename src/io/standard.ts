import { fstatSync, write } from 'node:fs';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { ioError } from '../errors.ts';
import { blockingPipe } from './blocking.ts';
import { GATHER, Gatherer } from './gather.ts';
import type { Sink } from './sink.ts';

const writeLater = promisify(write);

/** A sink over a stream such as `process.stdout`, waiting whenever the reader is slower than we are. */
export function streamSink(stream: Writable, label = '<stdout>'): Sink {
  let failure: unknown;
  const onError = (cause: unknown): void => {
    failure ??= cause;
  };
  stream.on('error', onError);
  const send = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) return reject(ioError(label, failure));
      stream.write(bytes, (cause) => (cause ? reject(ioError(label, cause)) : resolve()));
    });
  const gather = new Gatherer(async (bytes) => {
    for (let at = 0; at < bytes.byteLength; at += GATHER) await send(bytes.subarray(at, at + GATHER));
  });
  return {
    label,
    write: (chunk) => gather.add(chunk),
    finish: () => gather.flush(),
    async abort() {},
  };
}

/**
 * Standard output as a sink. Into a pipe or a file, threads may write as well, each behind the other: a pipe is opened anew
 * so that writes wait (see {@link blockingPipe}); of a file the descriptor is used as it is, because its position is that
 * of everybody who has it, and it may append.
 * @param stream - for anything else, and where the pipe cannot be opened
 */
export async function stdoutSink(stream: Writable, fd = 1): Promise<Sink> {
  const handle = await blockingPipe(fd, 'w');
  if (handle !== undefined) return descriptorSink(handle.fd, () => handle.close());
  return fstatSync(fd).isFile() ? descriptorSink(fd, async () => {}) : streamSink(stream);
}

function descriptorSink(fd: number, close: () => Promise<void>, label = '<stdout>'): Sink {
  const gather = new Gatherer(async (bytes) => {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesWritten } = await writeLater(fd, bytes, done, bytes.byteLength - done, null).catch(
        (cause: unknown) => {
          throw ioError(label, cause);
        },
      );
      done += bytesWritten;
    }
  });
  return {
    label,
    write: (chunk) => gather.add(chunk),
    async reserve() {
      await gather.flush();
      return { fd, position: undefined };
    },
    async finish() {
      await gather.flush();
      await close();
    },
    abort: () => close().catch(() => {}),
  };
}
