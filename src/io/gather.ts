/** Small chunks are gathered into one write of about this many bytes. */
export const GATHER: number = 1 << 20;

/** Gathers small chunks; a large chunk passes through uncopied once what came before it is out. */
export class Gatherer {
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  #buffer: Uint8Array = new Uint8Array(0);
  #used = 0;

  constructor(send: (bytes: Uint8Array) => Promise<void>) {
    this.#send = send;
  }

  async add(chunk: Uint8Array): Promise<void> {
    if (chunk.byteLength >= GATHER) {
      await this.flush();
      return this.#send(chunk);
    }
    if (this.#used + chunk.byteLength > GATHER) await this.flush();
    // A fresh buffer each time: the last one may still be on its way through a stream.
    if (this.#used === 0) this.#buffer = new Uint8Array(GATHER);
    this.#buffer.set(chunk, this.#used);
    this.#used += chunk.byteLength;
  }

  async flush(): Promise<void> {
    if (this.#used === 0) return;
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    await this.#send(bytes);
  }
}
