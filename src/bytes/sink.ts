import { joinBytes } from './bytes.ts';
import type { Source } from './source.ts';
import type { Place } from './stored.ts';

/** Where others may write. */
export interface Reserved {
  readonly fd: number;
  /** In bytes from the start of the file; undefined if bytes are written in order. */
  readonly position: number | undefined;
}

/** Where a model is written. Nothing is visible to others before `finish()`; `abort()` leaves nothing. */
export interface Sink {
  readonly label: string;
  /** The chunk belongs to the caller again when the promise resolves. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Leaves the next `byteLength` bytes to the caller, who writes them, with whatever thread: into the file at the
   * position given, before `finish()` or `abort()`; or, where there is none, after what was written, before anything
   * else.
   */
  reserve?(byteLength: number): Promise<Reserved>;
  /**
   * Leaves the next `byteLength` bytes to the reader, who finds them where they lie, in a file that is open here.
   * Absent where no reader could.
   * @param placeOf - where they lie, if they do
   * @returns false where the reader cannot, or they do not: then nothing is written
   */
  refer?(byteLength: number, placeOf: () => Promise<Place | undefined>): Promise<boolean>;
  /**
   * Makes everything that is written the content of an open file, by the system's own copy; nothing else may be written
   * before or after. Absent where there is no file to copy to.
   * @returns false where the system has no such copy: then nothing is written
   * @throws CompressError `io`
   */
  clone?(source: Source): Promise<boolean>;
  finish(): Promise<void>;
  abort(): Promise<void>;
}

/** A sink that keeps everything in memory; `bytes()` gives it after `finish()`. */
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
