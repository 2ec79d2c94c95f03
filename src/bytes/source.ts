import { CompressError } from '../errors.ts';
import type { Place } from './stored.ts';

/** Bytes of a source that lie in files open here: for threads that read them, and for the system's own copy. */
export interface SourceFiles {
  /** Descriptor of the file that has all bytes at their places; undefined if they lie in several. */
  readonly fd: number | undefined;
  /** Where the bytes from `start` to `end` lie; undefined if they do not lie together. */
  place(start: number, end: number): Place | undefined;
  /** Where, between these two, bytes begin to lie elsewhere, ascending. */
  borders(start: number, end: number): readonly number[];
}

/** Bytes somewhere: a file, memory, a spooled pipe. Reads may happen at any position and in parallel. */
export interface Source {
  /** What error messages call it: a path, or `<stdin>`. */
  readonly label: string;
  /** Size in bytes, fixed for the life of the source. */
  readonly byteLength: number;
  /**
   * Reads the bytes `start` (inclusive) to `end` (exclusive).
   * @throws CompressError `malformed` when the range is outside the source, `io` when the file has become shorter.
   */
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
  /**
   * Fills `target` with the bytes from `start` on, where that is sooner done than by `read`; errors as those of `read`.
   */
  readInto?(target: Uint8Array, start: number): Promise<void>;
  /** Where the bytes lie; absent for bytes in memory. */
  readonly files?: SourceFiles;
  /**
   * Whether the file is still what it was when it was opened: its size, its time, and the file under its name.
   * @throws CompressError `io` if it is not: what was read may be of two files
   */
  unchanged?(): Promise<void>;
}

/** A source over bytes already in memory. Reads are views, not copies. */
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

/** The bytes of one file, all at their places. */
export function oneFile(fd: number): SourceFiles {
  return { fd, place: (start) => ({ fd, position: start }), borders: () => [] };
}

/** Fills `target` with the bytes of a source from `start` on; errors as those of `read`. */
export async function readInto(source: Source, target: Uint8Array, start: number): Promise<void> {
  if (source.readInto !== undefined) return source.readInto(target, start);
  target.set(await source.read(start, start + target.byteLength));
}

/** @throws CompressError `malformed` for bytes that a source does not have */
export function checkRange(label: string, start: number, end: number, byteLength: number): void {
  if (start >= 0 && start <= end && end <= byteLength) return;
  throw new CompressError('malformed', label, `bytes ${start} to ${end} were requested; the file has ${byteLength}`);
}

/** The error of a file that has fewer bytes than when it was opened. */
export function becameShorter({ label, byteLength }: Pick<Source, 'label' | 'byteLength'>): CompressError {
  return new CompressError('io', label, `became shorter while it was being read: it had ${byteLength} bytes`);
}
/**
 * Where a model's external data may lie: in the folder of its file and, where its path is a link, in that of the link.
 * The cache of Hugging Face has both, `snapshots/…/model.onnx` and its data being links to `blobs/`.
 */
export interface DataFolder {
  /**
   * Opens a data file by the location the model gives; one source a file, opened once. A location is looked up beside
   * the link first, and where there is no such file, beside the file that it leads to.
   * @throws CompressError `malformed` when the location would leave both folders, `io` when it cannot be opened.
   */
  open(location: string, where: string): Promise<Source>;
  /**
   * The path by which other programs find the data, which look for it beside the path they are given: that of the
   * model's file where some of it lies beside that alone, else the one the folder was made for.
   */
  readonly modelPath: string;
  close(): Promise<void>;
}
