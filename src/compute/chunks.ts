import type { Tensor } from '../ir/tensor.ts';

/** Bytes of a chunk: a multiple of every element's size; two are in memory at a time. */
export const CHUNK: number = 1 << 20;

/**
 * The elements of a tensor in order, as `load` gives them, a chunk at a time: the next one is read while one is looked
 * at. A chunk is good until the next one is asked for, and all but the last have {@link CHUNK} bytes.
 * @throws CompressError where the bytes cannot be read
 */
export async function* chunksOf(tensor: Tensor): AsyncGenerator<Uint8Array, void, void> {
  const { stored } = tensor;
  if (stored === undefined || stored.byteLength <= CHUNK) {
    const all = await tensor.load();
    for (let at = 0; at < all.byteLength; at += CHUNK) yield all.subarray(at, at + CHUNK);
    return;
  }
  const buffers = [0, 1].map(() => new Uint8Array(CHUNK));
  const read = async (at: number): Promise<Uint8Array> => {
    const bytes = (buffers[(at / CHUNK) % 2] as Uint8Array).subarray(0, Math.min(CHUNK, stored.byteLength - at));
    await stored.readInto(bytes, at);
    return bytes;
  };
  let next = read(0);
  try {
    for (let at = 0; at < stored.byteLength; at += CHUNK) {
      const chunk = await next;
      if (at + CHUNK < stored.byteLength) {
        next = read(at + CHUNK);
        // Should whoever looks at this chunk fail, nobody waits for the next one.
        next.catch(() => {});
      }
      yield chunk;
    }
  } finally {
    // Nothing reads any more once this has ended: the file may be closed.
    await next.catch(() => {});
  }
}
