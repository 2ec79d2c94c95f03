import {
  type BlockForm,
  blocksIn,
  type Coded,
  type Codes,
  type MatrixShape,
  type Order,
  type PackedCodes,
} from './codes.ts';

/** Codes that are to be found. */
export interface Wanted extends BlockForm, MatrixShape {
  /** Whether each scale is to be a small integer times the step of its output. */
  readonly multipliers: boolean;
  /** In which they are to be packed; one by one where undefined. */
  readonly order: Order | undefined;
}

/** So many bytes, from a multiple of 8 on. */
export type Allocate = (bytes: number) => { readonly buffer: ArrayBuffer | SharedArrayBuffer; readonly offset: number };

/** Room for codes, none of them found yet. */
export function roomForCodes(wanted: Wanted, allocate: Allocate = apart): Codes | PackedCodes {
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

/** Each array in memory of its own, so that none keeps that of the others. */
function apart(bytes: number): { readonly buffer: ArrayBuffer; readonly offset: number } {
  return { buffer: new ArrayBuffer(bytes), offset: 0 };
}

/** At least the bytes that {@link roomForCodes} asks for. */
export function bytesForCodes(wanted: Wanted): number {
  const { outputs, inputs, bits, block, order } = wanted;
  const total = outputs * blocksIn(wanted);
  return 8 * 5 + 6 * total + 4 * outputs + (order === undefined ? outputs * inputs : (total * block * bits) / 8);
}
