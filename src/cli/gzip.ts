import { gzipSync } from 'node:zlib';
import type { Piece, Watcher } from '../bytes/stored.ts';
import { fileSource } from '../node/files/source.ts';

/**
 * Number of windows of the output that are compressed to estimate the whole: half a megabyte in total, a few hundredths
 * of a second.
 */
const WINDOWS = 64;
const WINDOW = 1 << 13;

/** Files up to this many bytes are compressed whole. */
const WHOLE: number = 1 << 20;

/** Estimates how large a file would be with gzip, from evenly spread windows; exact up to a megabyte. */
export class GzipEstimate implements Watcher {
  readonly #total: number;
  readonly #samples: { readonly position: number; readonly bytes: Uint8Array }[] = [];
  #position = 0;
  #sampled = 0;

  /**
   * @param total - number of bytes in the file
   */
  constructor(total: number) {
    this.#total = total;
  }

  /** Takes bytes of the file: the next ones, or those at `position`. */
  add(chunk: Uint8Array, position: number = this.#position): void {
    this.#position = position;
    const spacing = spacingOf(this.#total);
    for (let at = 0; at < chunk.byteLength; ) {
      const within = (this.#position + at) % spacing;
      if (within < WINDOW) {
        const take = Math.min(WINDOW - within, chunk.byteLength - at);
        const bytes = Uint8Array.prototype.slice.call(chunk, at, at + take);
        this.#samples.push({ position: this.#position + at, bytes });
        this.#sampled += take;
        at += take;
      } else {
        at += Math.min(spacing - within, chunk.byteLength - at);
      }
    }
    this.#position += chunk.byteLength;
  }

  /**
   * Skips bytes that are added later.
   * @returns their position
   */
  skip(byteLength: number): number {
    const start = this.#position;
    this.#position += byteLength;
    return start;
  }

  wanted(start: number, byteLength: number): readonly Piece[] {
    const spacing = spacingOf(this.#total);
    const pieces: Piece[] = [];
    for (let window = start - (start % spacing); window < start + byteLength; window += spacing) {
      const first = Math.max(window, start);
      const end = Math.min(window + WINDOW, start + byteLength);
      if (first < end) pieces.push({ start: first, byteLength: end - first });
    }
    return pieces;
  }

  show(start: number, bytes: Uint8Array): void {
    const position = this.#position;
    this.add(bytes, start);
    this.#position = position;
  }

  /** Bytes with gzip at its default level. */
  byteLength(): number {
    if (this.#sampled === 0) return 0;
    // Threads add what they wrote when they finish, so windows arrive out of order.
    const inOrder = this.#samples.sort((a, b) => a.position - b.position).map(({ bytes }) => bytes);
    const ratio = gzipSync(Buffer.concat(inOrder)).byteLength / this.#sampled;
    return Math.round(ratio * this.#total);
  }
}

/** The estimate for a file that already exists. */
export async function gzipEstimateOf(path: string): Promise<number> {
  const source = await fileSource(path);
  try {
    const estimate = new GzipEstimate(source.byteLength);
    const spacing = spacingOf(source.byteLength);
    for (let at = 0; at < source.byteLength; at += spacing) {
      estimate.add(await source.read(at, Math.min(at + WINDOW, source.byteLength)), at);
    }
    return estimate.byteLength();
  } finally {
    await source.close();
  }
}

/** Distance between the starts of two windows. */
function spacingOf(total: number): number {
  return total <= WHOLE ? WINDOW : Math.floor(total / WINDOWS);
}
