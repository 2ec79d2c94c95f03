import { CompressError } from '../../errors.ts';
import { elementCount } from '../../ir/dtype.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { allFinite } from '../../kernels/narrow.ts';
import type { Column } from './column.ts';
import { canConvert } from './convert.ts';
import type { FeedData } from './types.ts';

/** Creates an error that names file and input. */
export type Bad = (input: string, fact: string, hint?: string) => CompressError;

/**
 * Checks the type and the rank, which do not depend on rows.
 * @throws CompressError `data`
 */
export function checkKind(input: ValueInfo, column: Column, whole: boolean, bad: Bad): void {
  const { dtype, dims } = column;
  const possible = canConvert(dtype, input.dtype);
  if (possible !== true) throw bad(input.name, `has ${dtype} elements; the model expects ${input.dtype}`, possible);
  const wanted = whole ? input.dims : lined(input, column).dims;
  if (wanted === undefined || wanted.length === dims.length || isNumber(input, dims)) return;
  const shown = wanted.map((dim) => String(dim ?? '?')).join(', ');
  throw bad(input.name, `has the shape [${dims.join(', ')}]; the model expects [${shown}]`);
}

/** Treats a scalar input as an array of one row if its numbers come as a list, one per row. */
export function lined(input: ValueInfo, { dims }: Column): ValueInfo {
  return input.dims?.length === 0 && dims.length === 1 ? { ...input, dims: [1] } : input;
}

/** Whether a one-element array is given for a scalar. */
function isNumber(input: ValueInfo, dims: readonly number[]): boolean {
  return input.dims?.length === 0 && elementCount(dims) === 1;
}

/**
 * Checks the lengths that the model fixes.
 * @param axis - the axis of the rows
 * @throws CompressError `data`
 */
export function checkDims(input: ValueInfo, { dims }: Column, axis: number | undefined, bad: Bad): void {
  const wanted = input.dims ?? [];
  const wrong = wanted.findIndex((dim, at) => at !== axis && typeof dim === 'number' && dim !== dims[at]);
  if (wrong < 0) return;
  const hint =
    wanted[wrong] === 0
      ? 'An axis of length 0 has no elements. If its length is free, give it a name in the model.'
      : undefined;
  throw bad(input.name, `has ${dims[wrong]} on axis ${wrong}; the model expects ${String(wanted[wrong])}`, hint);
}

/** The part of an array in a sample: rows from `start` on along `axis`, or the whole array. */
interface Taken {
  readonly dtype: string;
  readonly dims: readonly number[];
  readonly axis: number | undefined;
  readonly start: number;
}

/** @throws CompressError `data` naming the row that holds NaN or infinity */
export function checkFinite(data: FeedData, { dtype, dims, axis, start }: Taken, where: string): void {
  if (dtype !== 'float32' && dtype !== 'float64') return;
  const values = data as Float32Array;
  if (allFinite(values)) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const inner = elementCount(dims.slice((axis ?? 0) + 1));
  const row = Math.floor(at / inner) % (dims[axis ?? 0] ?? 1);
  const place = axis === undefined ? '' : `row ${start + row} `;
  throw new CompressError('data', where, `${place}holds ${Number.isNaN(values[at]) ? 'NaN' : 'infinity'}`);
}
