import { constants, fstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Sink } from '../../bytes/sink.ts';
import { ioError } from '../../errors.ts';
import { GATHER, Gatherer } from './gather.ts';
import { type Handover, handOver } from './handover.ts';
import { blockingPipe } from './pipe.ts';
import { canRefer } from './references.ts';
import { writeAll } from './writeAll.ts';

/** A stream to write to, such as `process.stdout`: the part of Node's `Writable` that is used. */
export interface ByteStream {
  on(event: 'error', listener: (cause: unknown) => void): unknown;
  write(bytes: Uint8Array, written: (cause?: Error | null) => void): unknown;
}

/** A sink over a stream such as `process.stdout`. It waits if the reader is slower. */
export function streamSink(stream: ByteStream, label = '<stdout>'): Sink {
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
 * Standard output as a sink. Into a pipe or a file, threads may also write, one after another. A pipe is reopened in
 * blocking mode (see {@link blockingPipe}). The descriptor of a file is used as it is, because other processes share
 * its position, and it may append. If another process of this program reads the pipe, a large model is sent as a file
 * (see handover.ts).
 * @param stream - for anything else, and if the pipe cannot be reopened
 */
export async function stdoutSink(stream: ByteStream, fd = 1): Promise<Sink> {
  const handle = await blockingPipe(fd, 'w');
  if (handle === undefined && !fstatSync(fd).isFile()) return streamSink(stream);
  return overDescriptor(fd, handle, '<stdout>');
}

/** A descriptor of this process as a sink. */
export async function descriptorTo(fd: number, label: string): Promise<Sink> {
  return overDescriptor(fd, await blockingPipe(fd, 'w'), label);
}

function overDescriptor(fd: number, pipe: FileHandle | undefined, label: string): Sink {
  if (pipe === undefined) return descriptorSink(fd, { label });
  return descriptorSink(pipe.fd, { label, close: () => pipe.close(), handOver: () => handOver(fd, label) });
}

/** A named pipe or a device as a sink. Opening a named pipe waits for its other end. */
export async function throughPath(path: string, label: string): Promise<Sink> {
  const handle = await open(path, constants.O_WRONLY | constants.O_NOCTTY).catch((cause: unknown) => {
    throw ioError(label, cause);
  });
  return descriptorSink(handle.fd, { label, close: () => handle.close() });
}

/** Options of a descriptor sink. */
interface Around {
  /** What errors call it. */
  readonly label: string;
  readonly close?: () => Promise<void>;
  readonly handOver?: () => Promise<Handover | undefined>;
}

/** Writes bytes in order; from the first megabyte on, optionally to a file that is handed over. */
function descriptorSink(fd: number, { label: own, close = async () => {}, handOver: begin }: Around): Sink {
  let handover: Promise<Handover | undefined> | undefined;
  const handedOver = (): Promise<Handover | undefined> => {
    handover ??= begin?.() ?? Promise.resolve(undefined);
    return handover;
  };
  let position = 0;
  const send = async (bytes: Uint8Array): Promise<void> => writeAll(fd, bytes, null, own);
  const place = async (bytes: Uint8Array): Promise<void> => {
    const other = await handedOver();
    if (other === undefined) return send(bytes);
    await writeAll(other.handle.fd, bytes, position, other.path);
    position += bytes.byteLength;
  };
  const gather = new Gatherer(place);
  const discard = async (): Promise<void> => {
    const other = await handover?.catch(() => undefined);
    await other?.abort();
    await close().catch(() => {});
  };
  let label = own;
  return {
    get label() {
      return label;
    },
    write: (chunk) => gather.add(chunk),
    async reserve(byteLength) {
      await gather.flush();
      const other = await handedOver();
      if (other === undefined) return { fd, position: undefined };
      label = other.path;
      const at = position;
      position += byteLength;
      return { fd: other.handle.fd, position: at };
    },
    async refer(byteLength, placeOf) {
      await gather.flush();
      const other = await handedOver();
      const place = other && (await placeOf());
      if (other === undefined || place === undefined || !canRefer(place.fd)) return false;
      other.refer({ at: position, byteLength, place });
      position += byteLength;
      return true;
    },
    async finish() {
      // Nothing was flushed, so the model is short and needs no file.
      handover ??= Promise.resolve(undefined);
      await gather.flush();
      await (await handover)?.finish(position, send);
      await close();
    },
    abort: discard,
  };
}
