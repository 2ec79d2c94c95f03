import { gzipSync } from 'node:zlib';
import { fileSource } from '../io/source.ts';

/** Windows of the output that are compressed to estimate the whole: together a megabyte, a few hundredths of a second. */
const WINDOWS = 16;
const WINDOW = 1 << 16;

/** Estimates how large a file would be with gzip, from evenly spread windows; exact up to a megabyte. */
export class GzipEstimate {
  readonly #total: number;
  readonly #samples: Uint8Array[] = [];
  #position = 0;
  #sampled = 0;

  /** @param total - bytes the file will have */
  constructor(total: number) {
    this.#total = total;
  }

  /** Sees bytes of the file: the next ones, or those that begin at `position`. */
  add(chunk: Uint8Array, position: number = this.#position): void {
    this.#position = position;
    const spacing = spacingOf(this.#total);
    for (let at = 0; at < chunk.byteLength; ) {
      const within = (this.#position + at) % spacing;
      if (within < WINDOW) {
        const take = Math.min(WINDOW - within, chunk.byteLength - at);
        this.#samples.push(Uint8Array.prototype.slice.call(chunk, at, at + take));
        this.#sampled += take;
        at += take;
      } else {
        at += Math.min(spacing - within, chunk.byteLength - at);
      }
    }
    this.#position += chunk.byteLength;
  }

  /** Bytes with gzip at its default level. */
  byteLength(): number {
    if (this.#sampled === 0) return 0;
    const ratio = gzipSync(Buffer.concat(this.#samples)).byteLength / this.#sampled;
    return Math.round(ratio * this.#total);
  }
}

/** The same for a file that is written already. */
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
  return total <= WINDOWS * WINDOW ? WINDOW : Math.floor(total / WINDOWS);
}
