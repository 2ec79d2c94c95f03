/** Small chunks are gathered into one write of about this many bytes. */
export const GATHER: number = 1 << 20;

/** Gathers small chunks; a large chunk is passed through uncopied after the earlier ones. */
export class Gatherer {
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  #buffer: Uint8Array = new Uint8Array(0);
  /** Start and end of the unsent bytes in the buffer. */
  #start = 0;
  #end = 0;

  constructor(send: (bytes: Uint8Array) => Promise<void>) {
    this.#send = send;
  }

  async add(chunk: Uint8Array): Promise<void> {
    if (chunk.byteLength >= GATHER) {
      await this.flush();
      return this.#send(chunk);
    }
    if (this.#end + chunk.byteLength > this.#buffer.byteLength) {
      await this.flush();
      // Use a new buffer, because a stream may still hold the last one. A buffer is used until it is full.
      this.#buffer = new Uint8Array(GATHER);
      this.#start = this.#end = 0;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.byteLength;
  }

  async flush(): Promise<void> {
    if (this.#end === this.#start) return;
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    await this.#send(bytes);
  }
}
