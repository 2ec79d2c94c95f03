/** Small chunks are gathered into one write of about this many bytes. */
export const GATHER: number = 1 << 20;

/** Gathers small chunks; a large chunk passes through uncopied once what came before it is out. */
export class Gatherer {
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  #buffer: Uint8Array = new Uint8Array(0);
  /** Where in the buffer begins what was not sent yet, and where it ends. */
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
      // A fresh buffer: the last one may still be on its way through a stream. Until it is full it is used on.
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
