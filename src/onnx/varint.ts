/**
 * Reads protobuf varints. The value is left in two 32-bit halves, so that a number costs no allocation: a model has
 * millions of them, and nearly all are small.
 */
export class VarintReader {
  /** The lower 32 bits of the last number, unsigned. */
  low = 0;
  /** The upper 32 bits of the last number, unsigned. */
  high = 0;

  /** Reads one at `at`; gives where it ends, or -1 where it does not end before `limit` or has more than 64 bits. */
  read(bytes: Uint8Array, at: number, limit: number): number {
    let low = 0;
    let high = 0;
    const last = Math.min(limit, at + 10);
    for (let next = at, shift = 0; next < last; next++, shift += 7) {
      const byte = bytes[next] as number;
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift > 28) high |= (byte & 0x7f) << (shift - 32);
      else {
        low |= byte << 28;
        high = (byte & 0x7f) >>> 4;
      }
      // The tenth byte holds bit 63 alone.
      if (shift === 63 && byte > 1) return -1;
      if (byte >= 0x80) continue;
      this.low = low >>> 0;
      this.high = high >>> 0;
      return next + 1;
    }
    return -1;
  }

  /** The last number as an unsigned one; exact up to 2^53. */
  get unsigned(): number {
    return this.high * 2 ** 32 + this.low;
  }
}

/** Two halves as a signed number, exact within ±2^53. */
export function signed(low: number, high: number): number {
  return (high | 0) * 2 ** 32 + low;
}

/** Two halves as a signed 64-bit integer. */
export function signedBigint(low: number, high: number): bigint {
  return high === 0 ? BigInt(low) : BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}
