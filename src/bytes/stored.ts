/** Bytes that exist somewhere and are fetched only when asked for. */
export interface Blob {
  readonly byteLength: number;
  load(): Promise<Uint8Array>;
}

/** A place in a file that is open in this process, whatever thread. */
export interface Place {
  readonly fd: number;
  /** In bytes from the start of the file. */
  readonly position: number;
  /** Which of the bytes, float32 all, stand for zero. */
  readonly zeroed?: Zeroed | undefined;
}

/** Pieces of what is written that a caller wants to see. */
export interface Watcher {
  /** Which of the bytes from `start` on are to be shown. */
  wanted(start: number, byteLength: number): readonly Piece[];
  /** Shows bytes from `start` on. */
  show(start: number, bytes: Uint8Array): void;
}

/** A run of bytes. */
export interface Piece {
  readonly start: number;
  readonly byteLength: number;
}

/** Where threads write. */
export interface WriteTarget {
  readonly fd: number;
  /** In bytes from the start of the file; undefined when bytes are written in order, as into a pipe. */
  readonly position: number | undefined;
  /**
   * Who sees some of the bytes, which begin at `start` of all that it is shown; the file can be read where it has a
   * position.
   */
  readonly watching?: { readonly watcher: Watcher; readonly start: number };
}

/** Bytes that lie somewhere as `Tensor.load` would give them, and can be read in pieces. */
export interface Stored {
  /** What error messages call the file. */
  readonly label: string;
  readonly byteLength: number;
  /** Fills `target` with the bytes from byte `start` on. */
  readInto(target: Uint8Array, start: number): Promise<void>;
  /** Where they begin, when they lie in a file: other threads can then read them too. */
  readonly file: Place | undefined;
}

/** Some of the bytes: `byteLength` of them from byte `start` on. */
export function partOf(stored: Stored, start: number, byteLength: number): Stored {
  const { label, file } = stored;
  return {
    label,
    byteLength,
    readInto: (target, at) => stored.readInto(target, start + at),
    file: file === undefined ? undefined : { ...file, position: file.position + start },
  };
}

/** Elements that are computed in pieces, so that they are never in memory all at once. */
export interface Streamed {
  /** The bytes of `Tensor.load`, in order. A chunk is good until the next one is asked for. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Whether they are computed from what lies in a file, and {@link writeTo} is there to be used. */
  fromFile(): boolean;
  /**
   * Computes them and writes them, with other threads where those would help. Ends, well or not, when no thread writes
   * any more.
   * @throws CompressError where reading fails, an error with the system's `code` where writing does
   */
  writeTo(target: WriteTarget): Promise<void>;
  /** Where the bytes lie already, but for zeros; absent, or undefined, where they lie nowhere. */
  place?(): Promise<Place | undefined>;
}

/** Elements of a file that stand for zero. */
export interface Zeroed {
  /** Those with a magnitude below this one: the bits of a float32 without the sign. */
  readonly below: number;
  /** Before this byte of the file those equal to it too. */
  readonly until: number;
}
