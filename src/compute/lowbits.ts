import type { Stored } from '../bytes/stored.ts';
import { type BlockForm, blocksIn, type Codes } from '../kernels/lowbits/codes.ts';
import { type CodesAndLoss, type CodesHow, type CodesMatrix, codesSteps } from '../kernels/lowbits/codesSteps.ts';
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
): Promise<CodesAndLoss | undefined> {
  const parts = spans(matrix.outputs, partsFor(stored)).map(
    (wanted): Part<'codes'> => ({ job: { kind: 'codes', matrix: { ...matrix, wanted }, form, how }, start: 0, at: 0 }),
  );
  return joined(await runParts<'codes'>(stored, parts), form, matrix.inputs);
}

/** The same over float32 weights in memory, in this thread. */
export function codesOfFloats(
  data: Float32Array,
  matrix: Omit<WholeMatrix, 'format'>,
  form: BlockForm,
  how: CodesHow,
): CodesAndLoss | undefined {
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
    );
  } finally {
    shared.release(mark);
  }
}

let shared: Arena | undefined;

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
