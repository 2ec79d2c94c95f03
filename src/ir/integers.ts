/**
 * An int64 as a number: a length, a place, a step or a count. What a number cannot hold exactly, from 2^53 on, is the
 * last whole number of its sign: past the end of every axis, as the integer itself is, which exporters write for "to
 * the end". Where integers are not read as places, they stay bigint.
 */
export function safeInteger(value: bigint): number {
  if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
  if (value < Number.MIN_SAFE_INTEGER) return Number.MIN_SAFE_INTEGER;
  return Number(value);
}
