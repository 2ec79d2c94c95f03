import type { Streamed } from '../../bytes/stored.ts';
import type { Tensor } from '../../ir/tensor.ts';

/** Reads a tensor sequentially, whether it comes from a file, in chunks, or all at once. */
export class Reading {
  readonly #tensor: Tensor;
  #at = 0;
  #loaded: Uint8Array | undefined;
  #chunks: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(tensor: Tensor) {
    this.#tensor = tensor;
  }

  /** The next bytes, valid until the next call. The tensor must have that many left. */
  async take(byteLength: number): Promise<Uint8Array> {
    const { stored, streamed: stream } = this.#tensor;
    const start = this.#at;
    this.#at += byteLength;
    if (stored === undefined && stream === undefined) {
      this.#loaded ??= await this.#tensor.load();
      return this.#loaded.subarray(start, this.#at);
    }
    if (this.#buffer.byteLength < byteLength) this.#buffer = new Uint8Array(byteLength);
    const target = this.#buffer.subarray(0, byteLength);
    if (stored !== undefined) await stored.readInto(target, start);
    else if (stream !== undefined) await this.#fill(target, stream);
    return target;
  }

  /** Releases the source. */
  async close(): Promise<void> {
    this.#loaded = undefined;
    await this.#chunks?.return?.();
  }

  async #fill(target: Uint8Array, stream: Streamed): Promise<void> {
    this.#chunks ??= stream.chunks()[Symbol.asyncIterator]();
    for (let at = 0; at < target.byteLength; ) {
      if (this.#rest.byteLength === 0) {
        const next = await this.#chunks.next();
        if (next.done) throw new RangeError(`${this.#tensor.name} ended ${target.byteLength - at} bytes early`);
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, target.byteLength - at);
      target.set(part, at);
      this.#rest = this.#rest.subarray(part.byteLength);
      at += part.byteLength;
    }
  }
}

/** Elements that are in memory at a time; a multiple of 8, so that masks are made of whole bytes. */
export const CHUNK: number = 1 << 18;

/** Splits a number of elements into chunks. */
export function* pieces(elements: number): Generator<{ readonly start: number; readonly count: number }> {
  for (let start = 0; start < elements; start += CHUNK) yield { start, count: Math.min(CHUNK, elements - start) };
}
