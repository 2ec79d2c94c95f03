import type { ValueInfo } from '../../ir/graph.ts';
import { isOpen, rowAxis, rowNames } from './axes.ts';
import type { Column } from './column.ts';

/** The array of one input. */
export interface Given {
  readonly input: ValueInfo;
  readonly column: Column;
}

/** How the arrays of a file are cut into samples. */
export interface Layout {
  /** The row axis of each input; an input without one is fed whole with every sample. */
  readonly axes: ReadonlyMap<ValueInfo, number>;
  /** Rows of the file. */
  readonly rows: number;
  /** The number of rows that the model requires per run. */
  readonly fixed: number | undefined;
}

/** Inputs with different numbers of rows. */
export interface Mismatch {
  readonly input: ValueInfo;
  readonly rows: number;
  readonly before: number;
}

/**
 * Finds the row axis of arrays whose ranks match the model. It is the first axis of most arrays. The state of a
 * recurrent network has it on another axis, and an input with fixed dims may have no rows.
 * @returns undefined if the arrays are one sample as they are
 */
export function layoutOf(given: readonly Given[]): Layout | Mismatch | undefined {
  const names = rowNames(given.map((one) => one.input));
  const rowsOf = (one: Given): number => one.column.dims[axisOf(one, names)] as number;
  const withAxes = given.filter(({ column }) => column.dims.length > 0);
  // Whether an array with the exact dims of a fixed input has rows depends on the others.
  const sure = withAxes.filter((one) => isOpen(one.input, axisOf(one, names)) || !fitsFixed(one, names));
  if (sure.length === 0 && new Set(withAxes.map(rowsOf)).size > 1) return undefined;
  const [first] = sure.length > 0 ? sure : withAxes;
  const rows = first === undefined ? 1 : rowsOf(first);
  const axes = new Map<ValueInfo, number>();
  let other: Mismatch | undefined;
  for (const one of withAxes) {
    const axis = axisOf(one, names);
    if (rowsOf(one) === rows) axes.set(one.input, axis);
    else if (sure.includes(one)) other ??= { input: one.input, rows: rowsOf(one), before: rows };
    else {
      const later = one.column.dims.findIndex((dim, at) => at > axis && dim === rows && isOpen(one.input, at));
      if (later > 0) axes.set(one.input, later);
      // It has as many rows as the model takes per run, in a file with more.
      else if (isFixedLike(one, sure, names)) other ??= { input: one.input, rows: rowsOf(one), before: rows };
    }
  }
  if (other !== undefined) return haveOtherRowNames(sure, names) ? undefined : other;
  const fixed = [...axes].map(([input, axis]) => input.dims?.[axis]).find((dim) => typeof dim === 'number');
  return fixed === 0 ? undefined : { axes, rows, fixed };
}

function axisOf({ input }: Given, names: ReadonlySet<string>): number {
  return rowAxis(input, names) ?? 0;
}

/** Whether the array has the length that the model fixes for its row axis. */
function fitsFixed(one: Given, names: ReadonlySet<string>): boolean {
  const axis = axisOf(one, names);
  return one.input.dims?.[axis] === one.column.dims[axis];
}

/** Whether the model takes as many of its rows per run as of an input that has more of them. */
function isFixedLike({ input }: Given, sure: readonly Given[], names: ReadonlySet<string>): boolean {
  const rows = input.dims?.[rowAxis(input, names) ?? 0];
  return sure.some((one) => one.input.dims?.[axisOf(one, names)] === rows);
}

/** Whether the model gives the rows of these inputs different names, so that their numbers may differ. */
function haveOtherRowNames(sure: readonly Given[], names: ReadonlySet<string>): boolean {
  const counts = new Map<string, number>();
  for (const one of sure) {
    const name = one.input.dims?.[axisOf(one, names)];
    const rows = one.column.dims[axisOf(one, names)] as number;
    if (typeof name !== 'string' || (counts.get(name) ?? rows) !== rows) return false;
    counts.set(name, rows);
  }
  return true;
}
