import type { ValueInfo } from '../../ir/graph.ts';

/** Whether a model leaves the length of this input axis open. */
export function isOpen(input: ValueInfo, axis: number): boolean {
  return input.dims === undefined || (axis < input.dims.length && typeof input.dims[axis] !== 'number');
}

/** Names of dimensions that count rows: those of open first axes. */
export function rowNames(inputs: readonly ValueInfo[]): ReadonlySet<string> {
  const first = inputs.map((one) => one.dims?.[0]);
  return new Set(first.filter((dim) => typeof dim === 'string'));
}

/**
 * The row axis of an input: the first one or, if that is fixed, the one with the same name as the rows of other inputs,
 * as in a state `[layers, batch, width]`.
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

/** The number of rows that a model requires; undefined if it is open. */
export function fixedRows(inputs: readonly ValueInfo[]): number | undefined {
  const names = rowNames(inputs);
  const rows = inputs.map((one) => one.dims?.[rowAxis(one, names) ?? -1]);
  return rows.find((dim) => typeof dim === 'number');
}
