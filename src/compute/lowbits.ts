import type { Stored } from '../bytes/stored.ts';
import { type BlockForm, blocksIn, type Codes } from '../kernels/lowbits/codes.ts';
import { type CodesAndLoss, type CodesHow, type CodesMatrix, codesSteps } from '../kernels/lowbits/codesSteps.ts';
import { Arena } from '../kernels/simd/arena.ts';
import { spans } from '../kernels/slices.ts';
import { perform } from '../kernels/steps.ts';
import { type Part, partsFor } from './executor.ts';
import { runParts } from './here.ts';

/** A matrix, or several one after the other; all outputs of each. */
export interface CodesMatrices extends Omit<CodesMatrix, 'wanted'> {
  readonly count: number;
}

/**
 * As `codesSteps`, over stored weights where they lie, with the threads there are.
 * @returns undefined where they hold NaN or infinity
 */
export async function codesOfStored(
  stored: Stored,
  matrices: CodesMatrices,
  form: BlockForm,
  how: CodesHow,
): Promise<CodesAndLoss | undefined> {
  const parts = partsOf(matrices, form, how, partsFor(stored));
  return joined(await runParts<'codes'>(stored, parts), form, matrices.inputs);
}

/** The same over float32 weights in memory, in this thread. */
export function codesOfFloats(
  data: Float32Array,
  matrices: CodesMatrices,
  form: BlockForm,
  how: CodesHow,
): CodesAndLoss | undefined {
  shared ??= new Arena();
  const arena = shared;
  const mark = arena.mark();
  const from = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  try {
    const made = partsOf({ ...matrices, format: 'float32' }, form, how, 1).map(({ job, start }) => {
      const found = perform(
        codesSteps(arena, job.matrix, form, how),
        (bytes, at) => bytes.set(from.subarray(start + at, start + at + bytes.length)),
        () => {},
      );
      arena.release(mark);
      return found;
    });
    return joined(made, form, matrices.inputs);
  } finally {
    arena.release(mark);
  }
}

let shared: Arena | undefined;

/** Each matrix in so many runs of outputs. */
function partsOf(
  { count, ...matrix }: CodesMatrices,
  form: BlockForm,
  how: CodesHow,
  threads: number,
): Part<'codes'>[] {
  const bytes = matrix.outputs * matrix.inputs * (matrix.format === 'float32' ? 4 : 2);
  return Array.from({ length: count }).flatMap((_, index) =>
    spans(matrix.outputs, threads).map(
      (wanted): Part<'codes'> => ({
        job: { kind: 'codes', matrix: { ...matrix, wanted }, form, how },
        start: index * bytes,
        at: 0,
      }),
    ),
  );
}

/** Rows after rows. */
function joined(
  parts: readonly (CodesAndLoss | undefined)[],
  form: BlockForm,
  inputs: number,
): CodesAndLoss | undefined {
  if (parts.length === 1) return parts[0];
  const found = parts.filter((one) => one !== undefined);
  if (found.length < parts.length) return undefined;
  const outputs = found.reduce((sum, { codes }) => sum + codes.outputs, 0);
  const blocks = outputs * blocksIn({ inputs, block: form.block });
  const whole = {
    ...{ codes: new Uint8Array(outputs * inputs), scales: new Float32Array(blocks), zeros: new Uint8Array(blocks) },
    ...{ steps: new Float32Array(outputs), factors: new Int8Array(blocks) },
  };
  let [row, signal, noise] = [0, 0, 0];
  for (const part of found) {
    const first = row * (blocks / outputs);
    whole.codes.set(part.codes.codes, row * inputs);
    whole.scales.set(part.codes.scales, first);
    if (part.codes.zeros !== undefined) whole.zeros.set(part.codes.zeros, first);
    if (part.codes.multipliers !== undefined) {
      whole.steps.set(part.codes.multipliers.steps, row);
      whole.factors.set(part.codes.multipliers.factors, first);
    }
    row += part.codes.outputs;
    signal += part.signal;
    noise += part.noise;
  }
  const { codes, scales, zeros, steps, factors } = whole;
  const made: Codes = { ...form, outputs, inputs, codes, scales, zeros: form.symmetric ? undefined : zeros };
  const withFactors = found.some((part) => part.codes.multipliers !== undefined);
  return { codes: withFactors ? { ...made, multipliers: { steps, factors } } : made, signal, noise };
}
