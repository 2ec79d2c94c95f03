import type { Source } from '../../bytes/source.ts';

/** Bytes read at a time. */
const PIECE = 1 << 22;

/** An object that takes bytes. */
export interface Hash {
  update(bytes: Uint8Array): unknown;
}

/** Adds all bytes of a source. */
export async function addSource(hash: Hash, source: Source): Promise<void> {
  for (let at = 0; at < source.byteLength; at += PIECE) {
    hash.update(await source.read(at, Math.min(at + PIECE, source.byteLength)));
  }
}
