import { elementCount } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';

/** Bytes of a chunk: a multiple of every element's size; two are in memory at a time. */
const CHUNK: number = 1 << 20;

/**
 * The elements of a tensor in order, as `load` gives them, a chunk at a time: the next one is read while one is looked
 * at. A chunk is good until the next one is asked for.
 * @param size - bytes of every chunk but the last
 * @throws CompressError where the bytes cannot be read
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
        // Should the consumer fail at this chunk, nothing waits for the next one.
        next.catch(() => {});
      }
      yield chunk;
    }
  } finally {
    // Nothing reads any more once this has ended: the file may be closed.
    await next.catch(() => {});
  }
}

/** Whole runs of a tensor: `count` of them, one after the other. */
export interface Runs {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/**
 * The elements of a tensor in order, so many whole runs of `length` elements at a time as fit a chunk, and at least
 * one. They are good until the next ones are asked for.
 * @param size - bytes of a chunk
 * @throws CompressError where the bytes cannot be read
 */
export async function* runsOf(tensor: Tensor, length: number, size: number = CHUNK): AsyncGenerator<Runs, void, void> {
  const run = (tensor.byteLength / elementCount(tensor.dims)) * length;
  if (!(run > 0)) return;
  for await (const bytes of chunksOf(tensor, run * Math.max(1, Math.floor(size / run)))) {
    yield { bytes, count: bytes.byteLength / run };
  }
}

/** The same bytes in chunks of one size: two tensors that are compared side by side come in equal steps. */
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
