import fc from 'fast-check';

/** Damage to a file: a flipped bit, overwritten bytes, a removed piece, or a moved piece. */
export type Damage =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'cut'; readonly at: number; readonly length: number }
  | { readonly kind: 'end'; readonly at: number }
  | { readonly kind: 'splice'; readonly at: number; readonly from: number; readonly length: number };

/**
 * Positions are fractions of the file's length; half of all damage is in the first 300 bytes, which have the structure.
 */
const position = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.integer({ min: 1, max: 300 }).map((byte) => -byte),
);

export const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: position, bit: fc.integer({ min: 0, max: 7 }) }),
  fc.record({ kind: fc.constant('set' as const), at: position, bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: position, length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant('end' as const), at: position }),
  fc.record({
    kind: fc.constant('splice' as const),
    at: position,
    from: position,
    length: fc.integer({ min: 1, max: 200 }),
  }),
);

/** A damaged copy of a file. */
export function damaged(file: Uint8Array, damages: readonly Damage[]): Uint8Array {
  let bytes = Uint8Array.from(file);
  for (const one of damages) {
    const place = (at: number): number => Math.floor(at < 0 ? Math.min(-at, bytes.length) : at * bytes.length);
    const at = place(one.at);
    switch (one.kind) {
      case 'flip':
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << one.bit);
        break;
      case 'set':
        bytes.set(one.bytes.subarray(0, bytes.length - at), at);
        break;
      case 'cut':
        bytes = Uint8Array.from(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + one.length)]));
        break;
      case 'end':
        bytes = bytes.slice(0, at);
        break;
      case 'splice': {
        const from = place(one.from);
        const piece = bytes.subarray(from, from + one.length);
        bytes = Uint8Array.from(Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]));
      }
    }
  }
  return bytes;
}
