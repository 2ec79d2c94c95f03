/**
 * An int64 as a number: a length, an index, a step or a count. Values from 2^53 on become the largest safe integer of
 * the same sign. That is past the end of every axis, like the 2^63 − 1 that exporters write for "to the end". Integers
 * that are not indices or counts stay bigint.
 */
export function safeInteger(value: bigint): number {
  if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
  if (value < Number.MIN_SAFE_INTEGER) return Number.MIN_SAFE_INTEGER;
  return Number(value);
}
