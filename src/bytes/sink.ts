import { joinBytes } from './bytes.ts';
import type { Source } from './source.ts';
import type { Place } from './stored.ts';

/** A reserved range of the output, which the caller fills. */
export interface Reserved {
  readonly fd: number;
  /** In bytes from the start of the file; undefined if bytes are written in order. */
  readonly position: number | undefined;
}

/** Where a model is written to. Nothing is visible to others before `finish()`; `abort()` leaves nothing behind. */
export interface Sink {
  readonly label: string;
  /** Writes a chunk. The caller may reuse the chunk once the promise resolves. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Reserves the next `byteLength` bytes for the caller to write, from any thread. With a position: into the file
   * there, before `finish()` or `abort()`. Without: after what was written so far, and before anything else.
   */
  reserve?(byteLength: number): Promise<Reserved>;
  /**
   * Skips the next `byteLength` bytes and gives the reader a reference to them in an open file. Absent if no reader
   * supports this.
   * @param placeOf - where the bytes are, if they are in a file
   * @returns false if the reader does not support it or the bytes are in no file: then nothing is written
   */
  refer?(byteLength: number, placeOf: () => Promise<Place | undefined>): Promise<boolean>;
  /**
   * Makes the content of an open file the whole output, by the system's own copy. Nothing else may be written before or
   * after. Absent if there is no file to copy to.
   * @returns false if the system has no such copy: then nothing is written
   * @throws CompressError `io`
   */
  clone?(source: Source): Promise<boolean>;
  finish(): Promise<void>;
  abort(): Promise<void>;
}

/** A sink in memory; after `finish()`, `bytes()` returns everything that was written. */
export function bytesSink(): Sink & { bytes(): Uint8Array } {
  const chunks: Uint8Array[] = [];
  return {
    label: '<bytes>',
    async write(chunk) {
      chunks.push(Uint8Array.prototype.slice.call(chunk));
    },
    async finish() {},
    async abort() {
      chunks.length = 0;
    },
    bytes: () => joinBytes(chunks),
  };
}
