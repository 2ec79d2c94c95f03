import type { Lower } from './lower.ts';
import type { MatrixView, Products } from './products.ts';

/** A run of columns: `[start, end)`. */
export interface Run {
  readonly start: number;
  readonly end: number;
}

/** A matrix whose columns are processed in order; later columns compensate the error of each one. */
export interface Sweep {
  readonly rows: number;
  /** `[columns, rows]` */
  readonly matrix: MatrixView;
  /** The factor: `[columns, columns]`. */
  readonly factor: Lower;
  /** `[…, rows]`, from column `first` of the matrix on. */
  readonly errors: MatrixView;
  readonly first: number;
}

/**
 * After the columns of `strip` are done, updates later columns: `matrix −= factor · errors`.
 *
 * Nearby columns are updated at once, distant ones with many errors together, in large products. `around` are the runs
 * that contain the strip, each inside the next one. Errors of the strip go to the rest of the first run; if the strip
 * ends that run, errors of the whole run go to the rest of the next one, and so on.
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
