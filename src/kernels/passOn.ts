import type { Lower } from './lower.ts';
import type { MatrixView, Products } from './products.ts';

/** Where a run of columns begins and ends: `[start, end)`. */
export interface Run {
  readonly start: number;
  readonly end: number;
}

/** A matrix whose columns are changed one after the other, each with an error that the columns after it take back. */
export interface Sweep {
  readonly rows: number;
  /** `[columns, rows]` */
  readonly matrix: MatrixView;
  /** The factor: `[columns, columns]`. */
  readonly factor: Lower;
  /** `[…, rows]`, from the column `first` of the matrix on. */
  readonly errors: MatrixView;
  readonly first: number;
}

/**
 * Once the columns of `strip` are done: `matrix −= factor · errors` for the columns that come next.
 *
 * Columns close by hear of errors at once, and those far off of many errors together, in large products: `around` are
 * the runs that the strip lies in, each within the next one. Errors of the strip go to what is left of the first run;
 * if the strip ends it, those of the whole run go to what is left of the next one, and so on.
 */
export function* passOn(strip: Run, around: readonly Run[], sweep: Sweep): Products<void> {
  const { rows, matrix, factor, errors, first } = sweep;
  const { end } = strip;
  let from = strip.start;
  for (const run of around) {
    if (end < run.end) {
      yield {
        into: { ...matrix, at: matrix.at + end * matrix.stride },
        left: factor.block(end, from),
        right: { ...errors, at: errors.at + (from - first) * errors.stride },
        ...{ rows: run.end - end, depth: end - from, columns: rows, sign: -1 },
      };
      return;
    }
    from = run.start;
  }
}
