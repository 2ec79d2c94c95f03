import { elementCount, type FloatDType } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import { transpose } from '../kernels/layout.ts';
import { Losses } from '../kernels/loss.ts';
import type { BlockForm, Codes, MatrixShape } from '../kernels/lowbits/codes.ts';
import { lossOfCodes } from '../kernels/lowbits/loss.ts';
import { searchMultipliers } from '../kernels/lowbits/multipliers.ts';
import { type SearchHow, searchCodes } from '../kernels/lowbits/search.ts';
import { toFloat32 } from '../kernels/views.ts';

/** Float weights that are to become codes. */
export interface CodesGiven {
  /** A matrix, or several in axes before the last two. */
  readonly tensor: Tensor;
  /** Whether a matrix is `[outputs, inputs]` in the file, as in Gemm with transB; else `[inputs, outputs]`. */
  readonly outFirst: boolean;
  /** Factor folded into the numbers: alpha of a Gemm. */
  readonly factor: number;
}

/** How codes are chosen, and what scales they have. */
export interface CodesHow extends SearchHow {
  /** Whether each scale is a small integer times the step of its output. */
  readonly multipliers?: boolean;
}

/** Codes, and what they lose of the weights. */
export interface MeasuredCodes extends Codes {
  readonly losses: Losses;
}

/** The weights as rows: those of several matrices lie one after the other. */
export function codesShape({ tensor, outFirst }: CodesGiven): MatrixShape {
  const [rows = 1, columns = 1] = tensor.dims.slice(-2);
  const inputs = outFirst ? columns : rows;
  return { outputs: inputs === 0 ? 0 : elementCount(tensor.dims) / inputs, inputs };
}

/**
 * Weights as codes, chosen without data.
 * @returns undefined where they hold NaN or infinity
 * @throws CompressError where they cannot be read, RangeError for a method that the form does not go with
 */
export async function codesOf(given: CodesGiven, form: BlockForm, how: CodesHow): Promise<MeasuredCodes | undefined> {
  const shape = codesShape(given);
  const matrix = await rowsOf(given);
  if (!matrix.every(Number.isFinite)) return undefined;
  const codes = (how.multipliers ? searchMultipliers : searchCodes)(matrix, shape, form, how);
  const losses = new Losses();
  losses.add(lossOfCodes(matrix, codes));
  return { ...codes, losses };
}

/** The weights, `[outputs, inputs]`, all of them in memory. */
export async function rowsOf({ tensor, outFirst, factor }: CodesGiven): Promise<Float32Array> {
  const stored = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
  const data = factor === 1 ? stored : stored.map((value) => value * factor);
  if (outFirst) return data;
  const [rows = 1, columns = 1] = tensor.dims.slice(-2);
  const size = rows * columns;
  if (size === data.length) return transpose(data, rows, columns);
  const out = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += size) {
    out.set(transpose(data.subarray(at, at + size), rows, columns), at);
  }
  return out;
}
