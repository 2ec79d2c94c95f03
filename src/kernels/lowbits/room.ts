import {
  type BlockForm,
  blocksIn,
  type Coded,
  type Codes,
  type MatrixShape,
  type Order,
  type PackedCodes,
} from './codes.ts';

/** The codes to compute. */
export interface Wanted extends BlockForm, MatrixShape {
  /** Whether each scale must be a small integer times the step of its output. */
  readonly multipliers: boolean;
  /** The order in which codes are packed; one byte per code if undefined. */
  readonly order: Order | undefined;
}

/** Allocates bytes, aligned to 8. */
export type Allocate = (bytes: number) => { readonly buffer: ArrayBuffer | SharedArrayBuffer; readonly offset: number };

/** Memory for codes that are not computed yet. */
export function roomForCodes(wanted: Wanted, allocate: Allocate = ownBuffer): Codes | PackedCodes {
  const { bits, block, symmetric, half, outputs, inputs, order } = wanted;
  const total = outputs * blocksIn(wanted);
  const floats = (length: number): Float32Array => {
    const { buffer, offset } = allocate(4 * length);
    return new Float32Array(buffer, offset, length);
  };
  const bytes = (length: number): Uint8Array => {
    const { buffer, offset } = allocate(length);
    return new Uint8Array(buffer, offset, length);
  };
  const factors = (): Int8Array => {
    const { buffer, offset } = allocate(total);
    return new Int8Array(buffer, offset, total);
  };
  const coded: Coded = {
    ...{ bits, block, symmetric, half, outputs, inputs },
    scales: floats(total),
    zeros: symmetric ? undefined : bytes(total),
    ...(wanted.multipliers ? { multipliers: { steps: floats(outputs), factors: factors() } } : {}),
  };
  if (order === undefined) return { ...coded, codes: bytes(outputs * inputs) };
  return { ...coded, order, packed: bytes((total * block * bits) / 8) };
}

/** Each array gets its own buffer, so that none keeps the others alive. */
function ownBuffer(bytes: number): { readonly buffer: ArrayBuffer; readonly offset: number } {
  return { buffer: new ArrayBuffer(bytes), offset: 0 };
}

/** An upper bound of the bytes that {@link roomForCodes} allocates. */
export function bytesForCodes(wanted: Wanted): number {
  const { outputs, inputs, bits, block, order } = wanted;
  const total = outputs * blocksIn(wanted);
  return 8 * 5 + 6 * total + 4 * outputs + (order === undefined ? outputs * inputs : (total * block * bits) / 8);
}
