/** One array of all bytes, in order. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, one) => sum + one.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** Whether two arrays hold the same bytes. */
export function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.byteLength !== other.byteLength) return false;
  const words = aligned(one) && aligned(other) ? Math.floor(one.byteLength / 8) : 0;
  const a = new BigUint64Array(one.buffer, words && one.byteOffset, words);
  const b = new BigUint64Array(other.buffer, words && other.byteOffset, words);
  for (let at = 0; at < words; at++) if (a[at] !== b[at]) return false;
  for (let at = words * 8; at < one.byteLength; at++) if (one[at] !== other[at]) return false;
  return true;
}

function aligned({ byteOffset }: Uint8Array): boolean {
  return byteOffset % 8 === 0;
}

/** Length of a text in UTF-8 bytes. */
export function textLength(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}
