/** What JSON has no numbers for, as texts: whole numbers beyond 2^53, and infinities as Number() and Python read them. */
export function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
