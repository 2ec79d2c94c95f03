import { CompressError } from '../errors.ts';
import type { Place } from './stored.ts';

/**
 * Where bytes of a source are in files that are open here: for threads that read them, and for the system's own copy.
 */
export interface SourceFiles {
  /** Descriptor of the file that has all bytes at their positions; undefined if they are in several files. */
  readonly fd: number | undefined;
  /** Where the bytes from `start` to `end` are; undefined if they are not contiguous in one file. */
  place(start: number, end: number): Place | undefined;
  /** Offsets between these two at which the bytes continue in another place, ascending. */
  borders(start: number, end: number): readonly number[];
}

/** Bytes that can be read at any position and in parallel: a file, memory, or a spooled pipe. */
export interface Source {
  /** What error messages call the source: a path, or `<stdin>`. */
  readonly label: string;
  /** Size in bytes; it does not change. */
  readonly byteLength: number;
  /**
   * Reads the bytes `start` (inclusive) to `end` (exclusive).
   * @throws CompressError `malformed` when the range is outside the source, `io` when the file has become shorter.
   */
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
  /** Fills `target` with the bytes from `start` on, if that is faster than `read`. Throws what `read` throws. */
  readInto?(target: Uint8Array, start: number): Promise<void>;
  /** Where the bytes are in files; absent for bytes in memory. */
  readonly files?: SourceFiles;
  /**
   * Checks that the file has not changed since it was opened: its size, its modification time, and the file under its
   * name.
   * @throws CompressError `io` if it has: what was read may be from two versions
   */
  unchanged?(): Promise<void>;
}

/** A source over bytes in memory. Reads return views, not copies. */
export function bytesSource(bytes: Uint8Array, label = '<bytes>'): Source {
  return {
    label,
    byteLength: bytes.byteLength,
    async read(start, end) {
      checkRange(label, start, end, bytes.byteLength);
      return bytes.subarray(start, end);
    },
    async close() {},
  };
}

/** The {@link SourceFiles} of a single file that has all bytes at their positions. */
export function oneFile(fd: number): SourceFiles {
  return { fd, place: (start) => ({ fd, position: start }), borders: () => [] };
}

/** Fills `target` with the bytes of a source from `start` on. Throws what `read` throws. */
export async function readInto(source: Source, target: Uint8Array, start: number): Promise<void> {
  if (source.readInto !== undefined) return source.readInto(target, start);
  target.set(await source.read(start, start + target.byteLength));
}

/**
 * Checks that a range lies within a source.
 * @throws CompressError `malformed` if it does not
 */
export function checkRange(label: string, start: number, end: number, byteLength: number): void {
  if (start >= 0 && start <= end && end <= byteLength) return;
  throw new CompressError('malformed', label, `bytes ${start} to ${end} were requested; the file has ${byteLength}`);
}

/** The error of a file that has fewer bytes than when it was opened. */
export function becameShorter({ label, byteLength }: Pick<Source, 'label' | 'byteLength'>): CompressError {
  return new CompressError('io', label, `became shorter while it was being read: it had ${byteLength} bytes`);
}
/**
 * Where a model's external data may be: in the folder of its file and, if its path is a link, in that of the link. The
 * Hugging Face cache has both: `snapshots/…/model.onnx` and its data are links to `blobs/`.
 */
export interface DataFolder {
  /**
   * Opens a data file by the location in the model; each file is opened once, as one source. A location is first looked
   * up next to the link, and if there is no such file, next to the file that the link points to.
   * @throws CompressError `malformed` if the location would leave both folders, `io` if it cannot be opened
   */
  open(location: string, where: string): Promise<Source>;
  /**
   * The path by which other programs find the data, which look for it beside the path they are given: that of the
   * model's file where some of it lies beside that alone, else the one the folder was made for.
   */
  readonly modelPath: string;
  close(): Promise<void>;
}
