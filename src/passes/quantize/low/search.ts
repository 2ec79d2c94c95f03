import type { Tensor } from '../../../ir/tensor.ts';
import { LARGEST } from '../../../kernels/halves.ts';
import type { BlockForm, Coded, Codes, PackedCodes } from '../../../kernels/lowbits/codes.ts';
import type { SearchMethod } from '../../../kernels/lowbits/search.ts';
import { codesOf, codesOfMatrix, type MeasuredCodes } from '../../../schemes/codes.ts';
import { SAFE_HALF } from '../../../schemes/float16.ts';
import { orderOf } from '../../../schemes/lowTensors.ts';
import type { Choice } from './choose.ts';

/** Codes of a weight without data; undefined if it holds NaN or infinity. */
export async function plainCodes(
  tensor: Tensor,
  choice: Choice,
  method: SearchMethod,
): Promise<MeasuredCodes<Codes | PackedCodes> | undefined> {
  const how = { method, multipliers: choice.form === 'multipliers' };
  return safely(choice, (form) => codesOf({ tensor, ...choice }, form, how, orderOf(choice.form, choice.outFirst)));
}

/** Codes of a matrix without data. @param importance - of each input */
export async function searched(
  matrix: Float32Array,
  choice: Choice,
  method: SearchMethod,
  importance?: Float32Array,
): Promise<MeasuredCodes> {
  const how = { method, importance, multipliers: choice.form === 'multipliers' };
  return safely(choice, (form) => codesOfMatrix(matrix, choice.shape, form, how));
}

/** Codes with scales of float16 if the form asks for them and the weights are neither too small nor too large. */
async function safely<T extends MeasuredCodes<Coded> | undefined>(
  { form, shape: { bits, block, symmetric, half } }: Choice,
  find: (form: BlockForm) => Promise<T>,
): Promise<T> {
  const found = await find({ bits, block, symmetric, half });
  if (!half || form === 'multipliers' || found === undefined) return found;
  const widest = found.codes.scales.reduce((most, scale) => Math.max(most, Math.abs(scale)), 0);
  if (widest >= SAFE_HALF && widest < LARGEST.float16) return found;
  found.release?.();
  return find({ bits, block, symmetric, half: false });
}
