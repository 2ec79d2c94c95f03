/** What went wrong, as a code that a program can test. */
export type ErrorCode =
  | 'malformed' // the bytes are not a valid ONNX model
  | 'unsupported' // valid, but not supported
  | 'limit' // larger or deeper than a named limit
  | 'io' // the file system, a pipe or the terminal
  | 'exists' // the output is already there
  | 'options' // an option has an invalid value
  | 'nothing_to_do' // no weight could be changed
  | 'data' // input data for a model is missing, of the wrong shape or not finite
  | 'runtime' // ONNX Runtime is not installed, or it refuses the model
  | 'gate' // a comparison was made, and is worse than the user allows
  | 'internal'; // an internal invariant was broken

/** The exact cause, where a program can give better advice than the hint. */
export type ErrorKind =
  | 'cut_off' // the file ends before something that it announces
  | 'data_file'; // data to run a model on, where a model was expected

/** Further facts about an error. */
export interface ErrorDetails {
  /** One line of advice. */
  readonly hint?: string | undefined;
  readonly kind?: ErrorKind | undefined;
  readonly cause?: unknown;
}

/**
 * The only error class of this package. The message has the form `<where>: <found and expected>`, e.g. `model.onnx,
 * graph.initializer[12] 'fc.weight': raw_data has 40 bytes; float32 [4, 4] needs 64`.
 */
export class CompressError extends Error {
  override readonly name = 'CompressError';
  readonly code: ErrorCode;
  /** The file, tensor or option that the error is about. */
  readonly where: string;
  readonly hint: string | undefined;
  readonly kind: ErrorKind | undefined;

  constructor(code: ErrorCode, where: string, fact: string, details: ErrorDetails = {}) {
    super(where === '' ? fact : `${where}: ${fact}`, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.where = where;
    this.hint = details.hint;
    this.kind = details.kind;
  }
}

/** The part of a Node system error that is used here. */
interface SystemError {
  readonly code?: string;
  readonly errno?: number;
  readonly syscall?: string;
  readonly path?: string;
}

/** Turns an error of the file system into a {@link CompressError} that names `where`. */
export function ioError(where: string, cause: unknown): CompressError {
  if (cause instanceof CompressError) return cause;
  const code = (cause as SystemError | null | undefined)?.code ?? '';
  const message = cause instanceof Error ? cause.message : String(cause);
  const hint = HINTS.get(code);
  return new CompressError(
    'io',
    where,
    SENTENCES.get(code) ?? message,
    hint === undefined ? { cause } : { cause, hint },
  );
}

/** The error as a {@link CompressError}, if it is one or comes from the system; undefined for a bug in the program. */
export function knownError(cause: unknown): CompressError | undefined {
  if (cause instanceof CompressError) return cause;
  const { errno, syscall, path } = (cause ?? {}) as SystemError;
  if (errno === undefined || syscall === undefined) return undefined;
  return ioError(path ?? '', cause);
}

/** Runs `work` on files. A system error becomes a {@link CompressError} that names `where`. */
export function withIoErrors<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw ioError(where, cause);
  }
}

const SENTENCES: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file or folder'],
  ['EEXIST', 'the file already exists'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'operation not permitted'],
  ['EISDIR', 'is a folder, not a file'],
  ['ENOTDIR', 'part of the path is not a folder'],
  ['ENOTEMPTY', 'the folder is not empty'],
  ['ELOOP', 'too many symbolic links, or a cycle of them'],
  ['ENAMETOOLONG', 'the file name is too long'],
  ['ENOSPC', 'no space left on the disk'],
  ['EDQUOT', 'the disk quota is used up'],
  ['EFBIG', 'the file is too large for the file system or exceeds a limit'],
  ['EROFS', 'the file system is read-only'],
  ['EXDEV', 'is on another disk'],
  ['EBADF', 'is not open for this operation'],
  ['EBUSY', 'is in use'],
  ['ETXTBSY', 'is in use'],
  ['EIO', 'the disk reported an input/output error'],
  ['ESTALE', 'the file no longer exists on the file server'],
  ['ENXIO', 'there is no such device, or nothing reads from it'],
  ['ENODEV', 'there is no such device'],
  ['EMFILE', 'too many files are open'],
  ['ENFILE', 'too many files are open on this machine'],
  ['ENOMEM', 'the system is out of memory'],
  ['EPIPE', 'the command that reads the output has stopped'],
]);

const HINTS: ReadonlyMap<string, string> = new Map([
  ['EMFILE', 'The shell limits open files: ulimit -n shows the limit, ulimit -n 1024 raises it.'],
]);
