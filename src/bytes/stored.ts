/** Bytes that are fetched only when they are requested. */
export interface Blob {
  readonly byteLength: number;
  load(): Promise<Uint8Array>;
}

/** A position in a file that is open in this process; any thread can read it. */
export interface Place {
  readonly fd: number;
  /** In bytes from the start of the file. */
  readonly position: number;
  /** Which of the float32 elements there are to be read as zero. */
  readonly zeroed?: Zeroed | undefined;
}

/** Pieces of the written output that the caller wants to see. */
export interface Watcher {
  /** Which bytes, of the `byteLength` from `start` on, to show. */
  wanted(start: number, byteLength: number): readonly Piece[];
  /** Receives the bytes from `start` on. */
  show(start: number, bytes: Uint8Array): void;
}

/** A range of bytes. */
export interface Piece {
  readonly start: number;
  readonly byteLength: number;
}

/** Where threads write to. */
export interface WriteTarget {
  readonly fd: number;
  /** In bytes from the start of the file; undefined if bytes are written in order, as into a pipe. */
  readonly position: number | undefined;
  /**
   * Who sees some of the bytes. `start` is their offset in all that the watcher is shown. If there is a position, the
   * file can be read too.
   */
  readonly watching?: { readonly watcher: Watcher; readonly start: number };
}

/** The bytes of `Tensor.load` as they are stored, readable in pieces. */
export interface Stored {
  /** What error messages call the file. */
  readonly label: string;
  readonly byteLength: number;
  /** Fills `target` with the bytes from byte `start` on. */
  readInto(target: Uint8Array, start: number): Promise<void>;
  /** Where they start, if they are in a file: other threads can then read them too. */
  readonly file: Place | undefined;
}

/** Reads stored bytes again. */
export interface Kept {
  (): Promise<Uint8Array>;
  /** Where they are; absent if in memory. */
  readonly stored?: Stored;
}

/** A part of the bytes: `byteLength` of them from `start` on. */
export function partOf(stored: Stored, start: number, byteLength: number): Stored {
  const { label, file } = stored;
  return {
    label,
    byteLength,
    readInto: (target, at) => stored.readInto(target, start + at),
    file: file === undefined ? undefined : { ...file, position: file.position + start },
  };
}

/** Elements that are computed in chunks, so that they are never in memory all at once. */
export interface Streamed {
  /** The bytes of `Tensor.load`, in order. A chunk is valid until the next one is requested. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Whether the elements are computed from bytes in a file, so that {@link writeTo} can be used. */
  fromFile(): boolean;
  /**
   * Computes and writes the elements, with other threads if those help. Resolves or rejects only after every thread has
   * stopped writing.
   * @throws CompressError if reading fails; an error with the system's `code` if writing fails
   */
  writeTo(target: WriteTarget): Promise<void>;
  /** Where the bytes already are, apart from elements that become zero; absent or undefined if they are in no file. */
  place?(): Promise<Place | undefined>;
}

/** Elements of a file that are read as zero. */
export interface Zeroed {
  /** Elements with a magnitude below this one: the bits of a float32 without the sign. */
  readonly below: number;
  /** Before this byte of the file, also elements equal to it. */
  readonly until: number;
}
