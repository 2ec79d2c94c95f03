import type { ValueInfo } from '../../ir/graph.ts';

/** Whether a model leaves this axis of an input open. */
export function isOpen(input: ValueInfo, axis: number): boolean {
  return input.dims === undefined || (axis < input.dims.length && typeof input.dims[axis] !== 'number');
}

/** Names of the dims that are a number of rows: those of open first axes. */
export function rowNames(inputs: readonly ValueInfo[]): ReadonlySet<string> {
  const first = inputs.map((one) => one.dims?.[0]);
  return new Set(first.filter((dim) => typeof dim === 'string'));
}

/**
 * The axis of an input along which its rows lie: the first one or, where that is fixed, the one that has the name of
 * other inputs' rows, as a state `[layers, batch, width]` has it.
 * @param names - of {@link rowNames}
 * @returns undefined for an input without axes
 */
export function rowAxis(input: ValueInfo, names: ReadonlySet<string>): number | undefined {
  const { dims } = input;
  if (dims === undefined) return 0;
  if (dims.length === 0) return undefined;
  if (isOpen(input, 0)) return 0;
  const named = dims.findIndex((dim) => typeof dim === 'string' && names.has(dim));
  return named < 0 ? 0 : named;
}

/** Rows that a model takes at once and no others; undefined if it leaves them open. */
export function fixedRows(inputs: readonly ValueInfo[]): number | undefined {
  const names = rowNames(inputs);
  const rows = inputs.map((one) => one.dims?.[rowAxis(one, names) ?? -1]);
  return rows.find((dim) => typeof dim === 'number');
}
