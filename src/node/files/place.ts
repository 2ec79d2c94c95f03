import type { Place, Zeroed } from '../../bytes/stored.ts';
import { readAll } from './readAll.ts';

/** Upper limit of magnitudes. */
export const ZERO_LIMIT: number = 2 ** 31;

/** Bytes read at a time. */
const PIECE: number = 4 << 20;

/**
 * Fills `target` with the bytes of a place, starting at byte `start`.
 * @throws CompressError `io`
 */
export async function readPlace(place: Place, target: Uint8Array, start: number, label: string): Promise<void> {
  const { position, zeroed } = place;
  // Read whole elements, and cut afterwards.
  const [first, end] = [start, start + target.byteLength].map((at, which) =>
    zeroed === undefined ? at : which === 0 ? at - (at % 4) : at + ((4 - (at % 4)) % 4),
  ) as [number, number];
  const aligned = first === start && end === start + target.byteLength && target.byteOffset % 4 === 0;
  for (let at = first; at < end; at += PIECE) {
    const length = Math.min(PIECE, end - at);
    const bytes =
      aligned || zeroed === undefined ? target.subarray(at - first, at - first + length) : new Uint8Array(length);
    await readAll(place.fd, bytes, position + at, label);
    if (zeroed === undefined) continue;
    zero(bytes, position + at, zeroed);
    if (aligned) continue;
    const [from, to] = [Math.max(at, start), Math.min(at + length, start + target.byteLength)];
    target.set(bytes.subarray(from - at, to - at), from - start);
  }
}

/** Zeroes the float32 elements that are read as zero; `bytes` are at `position` of the file. */
function zero(bytes: Uint8Array, position: number, { below, until }: Zeroed): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const ties = Math.max(0, Math.min(words.length, (until - position) / 4));
  for (let index = 0; index < words.length; index++) {
    const magnitude = (words[index] as number) & 0x7fffffff;
    if (magnitude < below || (magnitude === below && index < ties)) words[index] = 0;
  }
}
