import type { Stored } from '../bytes/stored.ts';
import type { Loss } from '../kernels/loss.ts';
import type { BlockForm, Coded, Codes, Order, PackedCodes } from '../kernels/lowbits/codes.ts';
import { type CodesMatrix, codesSteps } from '../kernels/lowbits/codesSteps.ts';
import { bytesForCodes, roomForCodes } from '../kernels/lowbits/room.ts';
import type { SearchOptions } from '../kernels/lowbits/search.ts';
import { sharesIn } from '../kernels/lowbits/tiles.ts';
import { Arena } from '../kernels/simd/arena.ts';
import { spans } from '../kernels/slices.ts';
import { perform } from '../kernels/steps.ts';
import { type Part, partsFor } from './executor.ts';
import { runParts } from './here.ts';

/** A matrix that is requested as a whole. */
export type WholeMatrix = Omit<CodesMatrix, 'wanted'>;

/** How codes and scales are chosen. */
export interface CodesOptions extends SearchOptions {
  /** Whether each scale is a small integer times the step of its output. */
  readonly multipliers?: boolean;
}

/** Codes and their rounding loss. */
export interface CodesAndLoss<C extends Coded = Codes | PackedCodes> extends Loss {
  readonly codes: C;
  /** Returns the memory of the codes for reuse; present if threads share it. */
  readonly release?: () => void;
}

/**
 * As `codesSteps`, over stored weights, with all available threads.
 * @param order - the order in which codes are packed; one byte per code if undefined
 * @returns undefined if they hold NaN or infinity
 */
export async function codesOfStored(
  stored: Stored,
  matrix: WholeMatrix,
  form: BlockForm,
  { multipliers = false, ...how }: CodesOptions,
  order?: Order,
): Promise<CodesAndLoss | undefined> {
  const wanted = { ...form, outputs: matrix.outputs, inputs: matrix.inputs, multipliers, order };
  const count = partsFor(stored);
  if (count === 1) return fill(stored, matrix, how, roomForCodes(wanted), count);
  const room = takeShared(bytesForCodes(wanted));
  let end = 0;
  const codes = roomForCodes(wanted, (bytes) => {
    const offset = end;
    end += Math.ceil(bytes / 8) * 8;
    return { buffer: room, offset };
  });
  const release = (): void => {
    idle.push(room);
  };
  const found = await fill(stored, matrix, how, codes, count);
  if (found === undefined) release();
  return found && { ...found, release };
}

/** Shared memory that is free for reuse. Dropped buffers would be garbage collected late. */
const idle: SharedArrayBuffer[] = [];

function takeShared(bytes: number): SharedArrayBuffer {
  const room = idle.pop();
  return room !== undefined && room.byteLength >= bytes ? room : new SharedArrayBuffer(bytes);
}

/** Lets threads compute the codes of parts of a matrix. */
async function fill(
  stored: Stored,
  matrix: WholeMatrix,
  how: SearchOptions,
  codes: Codes | PackedCodes,
  count: number,
): Promise<CodesAndLoss | undefined> {
  const parts = spans(sharesIn(matrix, codes), count).map(
    (wanted): Part<'codes'> => ({
      job: { kind: 'codes', matrix: { ...matrix, wanted }, how, into: codes },
      start: 0,
      at: 0,
    }),
  );
  const losses = await runParts<'codes'>(stored, parts);
  const found = losses.filter((one) => one !== undefined);
  if (found.length < losses.length) return undefined;
  return {
    codes,
    signal: found.reduce((sum, { signal }) => sum + signal, 0),
    noise: found.reduce((sum, { noise }) => sum + noise, 0),
  };
}

/** The same over float32 weights in memory, in this thread. */
export function codesOfFloats(
  data: Float32Array,
  matrix: Omit<WholeMatrix, 'format'>,
  form: BlockForm,
  { multipliers = false, ...how }: CodesOptions,
): CodesAndLoss<Codes> | undefined {
  shared ??= new Arena();
  const mark = shared.mark();
  const from = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const { outputs, inputs } = matrix;
  const codes = roomForCodes({ ...form, outputs, inputs, multipliers, order: undefined }) as Codes;
  const wanted = { start: 0, length: sharesIn(matrix, codes) };
  const whole: CodesMatrix = { ...matrix, format: 'float32', wanted };
  try {
    const loss = perform(
      codesSteps(shared, whole, how, codes),
      (bytes, at) => bytes.set(from.subarray(at, at + bytes.length)),
      () => {},
    );
    return loss && { codes, ...loss };
  } finally {
    shared.release(mark);
  }
}

let shared: Arena | undefined;
