import type { Stored } from '../bytes/stored.ts';
import {
  type BlockForm,
  blocksIn,
  type Coded,
  type Codes,
  type MatrixShape,
  type Order,
  type PackedCodes,
} from '../kernels/lowbits/codes.ts';
import { type CodesAndLoss, type CodesMatrix, codesSteps } from '../kernels/lowbits/codesSteps.ts';
import type { CodesHow } from '../kernels/lowbits/strips.ts';
import { Arena } from '../kernels/simd/arena.ts';
import { spans } from '../kernels/slices.ts';
import { perform } from '../kernels/steps.ts';
import { type Part, partsFor } from './executor.ts';
import { runParts } from './here.ts';

/** A matrix of which all outputs are wanted. */
export type WholeMatrix = Omit<CodesMatrix, 'wanted'>;

/**
 * As `codesSteps`, over stored weights where they lie, with the threads there are.
 * @returns undefined where they hold NaN or infinity
 */
export async function codesOfStored(
  stored: Stored,
  matrix: WholeMatrix,
  form: BlockForm,
  how: CodesHow,
  order?: Order,
): Promise<CodesAndLoss | undefined> {
  const parts = spans(matrix.outputs, partsFor(stored)).map(
    (wanted): Part<'codes'> => ({
      job: { kind: 'codes', matrix: { ...matrix, wanted }, form, how, order },
      start: 0,
      at: 0,
    }),
  );
  return joined(await runParts<'codes'>(stored, parts), { ...form, outputs: matrix.outputs, inputs: matrix.inputs });
}

/** The same over float32 weights in memory, in this thread, one by one. */
export function codesOfFloats(
  data: Float32Array,
  matrix: Omit<WholeMatrix, 'format'>,
  form: BlockForm,
  how: CodesHow,
): CodesAndLoss<Codes> | undefined {
  shared ??= new Arena();
  const mark = shared.mark();
  const from = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const whole: CodesMatrix = { ...matrix, format: 'float32', wanted: { start: 0, length: matrix.outputs } };
  try {
    const steps = codesSteps(shared, whole, form, how);
    return perform(
      steps,
      (bytes, at) => bytes.set(from.subarray(at, at + bytes.length)),
      () => {},
    ) as CodesAndLoss<Codes> | undefined;
  } finally {
    shared.release(mark);
  }
}

let shared: Arena | undefined;

/** The parts as one matrix. */
function joined(
  parts: readonly (CodesAndLoss | undefined)[],
  shape: BlockForm & MatrixShape,
): CodesAndLoss | undefined {
  if (parts.length === 1) return parts[0];
  const found = parts.filter((one) => one !== undefined);
  const [first] = found;
  if (first === undefined || found.length < parts.length) return undefined;
  const all = found.map(({ codes }) => codes);
  const scales = ends(new Float32Array(shape.outputs * blocksIn(shape)), all, (one) => one.scales);
  const zeros = shape.symmetric
    ? undefined
    : ends(new Uint8Array(scales.length), all, (one) => one.zeros as Uint8Array);
  const coded: Coded = { ...shape, scales, zeros, ...multipliersOf(all, shape.outputs) };
  return {
    codes: withBytes(coded, all),
    signal: found.reduce((sum, { signal }) => sum + signal, 0),
    noise: found.reduce((sum, { noise }) => sum + noise, 0),
  };
}

/** One array behind the other. */
function ends<P, T extends { set(from: T, at: number): void; readonly length: number }>(
  into: T,
  parts: readonly P[],
  arrayOf: (part: P) => T,
): T {
  let at = 0;
  for (const part of parts) {
    const array = arrayOf(part);
    into.set(array, at);
    at += array.length;
  }
  return into;
}

function multipliersOf(all: readonly Coded[], outputs: number): Pick<Coded, 'multipliers'> {
  const parts = all.flatMap(({ multipliers }) => (multipliers === undefined ? [] : [multipliers]));
  if (parts.length === 0) return {};
  const steps = ends(new Float32Array(outputs), parts, (one) => one.steps);
  const total = parts.reduce((sum, { factors }) => sum + factors.length, 0);
  return { multipliers: { steps, factors: ends(new Int8Array(total), parts, (one) => one.factors) } };
}

function withBytes(coded: Coded, all: readonly (Codes | PackedCodes)[]): Codes | PackedCodes {
  const bytesOf = (one: Codes | PackedCodes): Uint8Array => ('packed' in one ? one.packed : one.codes);
  const total = all.reduce((sum, one) => sum + bytesOf(one).length, 0);
  const [first] = all as [Codes | PackedCodes];
  if (!('packed' in first)) return { ...coded, codes: ends(new Uint8Array(total), all, bytesOf) };
  const { order } = first;
  if (order === 'outputs') return { ...coded, order, packed: ends(new Uint8Array(total), all, bytesOf) };
  const packed = new Uint8Array(total);
  let done = 0;
  for (const one of all) {
    const bytes = bytesOf(one);
    for (let from = 0, to = done; from < bytes.length; from += one.outputs, to += coded.outputs) {
      packed.set(bytes.subarray(from, from + one.outputs), to);
    }
    done += one.outputs;
  }
  return { ...coded, order, packed };
}
