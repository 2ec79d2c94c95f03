import type { FloatDType } from '../../../ir/dtype.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { transpose } from '../../../kernels/layout.ts';
import { Losses } from '../../../kernels/loss.ts';
import type { Codes } from '../../../kernels/lowbits/codes.ts';
import { lossOfCodes } from '../../../kernels/lowbits/loss.ts';
import { searchMultipliers } from '../../../kernels/lowbits/multipliers.ts';
import { type SearchMethod, searchCodes } from '../../../kernels/lowbits/search.ts';
import { toFloat32 } from '../../../kernels/views.ts';
import type { Choice } from './choose.ts';

/** A weight in few bits, and what that takes from it. */
export interface FoundCodes {
  readonly codes: Codes;
  readonly losses: Losses;
}

/** A weight as a matrix `[outputs, inputs]`; undefined where it holds NaN or infinity. */
export async function matrixOf(tensor: Tensor, { shape, outFirst, factor }: Choice): Promise<Float32Array | undefined> {
  const floats = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
  const scaled = factor === 1 ? floats : floats.map((one) => one * factor);
  if (!scaled.every(Number.isFinite)) return undefined;
  return outFirst ? scaled : transpose(scaled, shape.inputs, shape.outputs);
}

/** Where the largest scale is smaller, those of quiet blocks are too coarse as float16, whose least are 2⁻²⁴ apart. */
const SAFE_HALF: number = 2 ** -13;

/** Codes of a matrix without data. @param importance - of each input */
export function searched(
  matrix: Float32Array,
  { form, shape }: Choice,
  method: SearchMethod,
  importance?: Float32Array,
): FoundCodes {
  const how = { method, importance };
  if (form === 'multipliers') return measured(matrix, searchMultipliers(matrix, shape, shape, how));
  const codes = searchCodes(matrix, shape, shape, how);
  const safe = !shape.half || codes.scales.some((scale) => Math.abs(scale) >= SAFE_HALF);
  return measured(matrix, safe ? codes : searchCodes(matrix, shape, { ...shape, half: false }, how));
}

/** Codes with what they take from a matrix. */
export function measured(matrix: Float32Array, codes: Codes): FoundCodes {
  const losses = new Losses();
  losses.add(lossOfCodes(matrix, codes));
  return { codes, losses };
}
