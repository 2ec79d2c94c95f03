import { elementCount } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';

/** Bytes of a chunk: a multiple of every element's size; two are in memory at a time. */
const CHUNK: number = 1 << 20;

/**
 * The elements of a tensor in order, as `load` returns them, one chunk at a time. The next chunk is read while the
 * consumer works on the current one. A chunk is valid until the next one is requested.
 * @param size - bytes of every chunk but the last
 * @throws CompressError if the bytes cannot be read
 */
export async function* chunksOf(tensor: Tensor, size: number = CHUNK): AsyncGenerator<Uint8Array, void, void> {
  const { stored, streamed, byteLength } = tensor;
  if (stored === undefined && streamed !== undefined && byteLength > size) {
    yield* cut(streamed.chunks(), size);
    return;
  }
  if (stored === undefined || stored.byteLength <= size) {
    const all = await tensor.load();
    for (let at = 0; at < all.byteLength; at += size) yield all.subarray(at, at + size);
    return;
  }
  const buffers = [0, 1].map(() => new Uint8Array(size));
  const read = async (at: number): Promise<Uint8Array> => {
    const bytes = (buffers[(at / size) % 2] as Uint8Array).subarray(0, Math.min(size, stored.byteLength - at));
    await stored.readInto(bytes, at);
    return bytes;
  };
  let next = read(0);
  try {
    for (let at = 0; at < stored.byteLength; at += size) {
      const chunk = await next;
      if (at + size < stored.byteLength) {
        next = read(at + size);
        // Mark as handled: if the consumer fails at this chunk, nothing awaits the next one.
        next.catch(() => {});
      }
      yield chunk;
    }
  } finally {
    // Wait for the pending read, so that the file may be closed after this generator ends.
    await next.catch(() => {});
  }
}

/** Complete runs of a tensor: `count` of them, consecutively. */
export interface Runs {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/**
 * The elements of a tensor in order, in groups of complete runs of `length` elements: as many as fit into a chunk, and
 * at least one. A group is valid until the next one is requested.
 * @param size - bytes of a chunk
 * @throws CompressError if the bytes cannot be read
 */
export async function* runsOf(tensor: Tensor, length: number, size: number = CHUNK): AsyncGenerator<Runs, void, void> {
  const run = (tensor.byteLength / elementCount(tensor.dims)) * length;
  if (!(run > 0)) return;
  for await (const bytes of chunksOf(tensor, run * Math.max(1, Math.floor(size / run)))) {
    yield { bytes, count: bytes.byteLength / run };
  }
}

/** The same bytes in chunks of one size, so that two tensors can be compared in equal steps. */
async function* cut(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array, void, void> {
  const whole = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + size - filled);
      whole.set(part, filled);
      filled += part.byteLength;
      at += part.byteLength;
      if (filled < size) continue;
      yield whole;
      filled = 0;
    }
  }
  if (filled > 0) yield whole.subarray(0, filled);
}
