import type { ErrorCode } from '../../errors.ts';

/** An error for programs. */
export interface ErrorJson {
  /** What went wrong, as a code; `internal` is a bug in this program. */
  readonly code: ErrorCode;
  /** The file, tensor or option that the error is about; empty if there is none. */
  readonly where: string;
  /** The whole sentence; it starts with `where`. */
  readonly message: string;
  /** What to do, if known. */
  readonly hint?: string;
}
