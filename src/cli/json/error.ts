import type { ErrorCode } from '../../errors.ts';

/** An error for programs. */
export interface ErrorJson {
  /** What went wrong, as a word; `internal` is a mistake of this program. */
  readonly code: ErrorCode;
  /** File, tensor or option it is about; empty where it is about none. */
  readonly where: string;
  /** The whole sentence, `where` at its beginning. */
  readonly message: string;
  /** What to do, where that can be told. */
  readonly hint?: string;
}
