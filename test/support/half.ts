/** The binary16 pattern nearest to a normal number (ties away from zero). */
export function toHalf(value: number): number {
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | (((exponent + 15) << 10) + Math.round((size / 2 ** exponent - 1) * 1024));
}

/** The value of a finite binary16 pattern. */
export function fromHalf(word: number): number {
  const exponent = (word >>> 10) & 0x1f;
  const fraction = (word & 0x3ff) / 1024;
  const size = exponent === 0 ? 2 ** -14 * fraction : 2 ** (exponent - 15) * (1 + fraction);
  return word & 0x8000 ? -size : size;
}
