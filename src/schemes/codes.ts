import type { CodesAndLoss, CodesOptions } from '../compute/lowbits.ts';
import { elementCount, type FloatDType } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import { worthStreaming } from '../kernels/choose.ts';
import { transpose } from '../kernels/layout.ts';
import { Losses } from '../kernels/loss.ts';
import type { BlockForm, Coded, Codes, MatrixShape, Order, PackedCodes } from '../kernels/lowbits/codes.ts';
import { lossOfCodes } from '../kernels/lowbits/loss.ts';
import { searchMultipliers } from '../kernels/lowbits/multipliers.ts';
import { searchCodes } from '../kernels/lowbits/search.ts';
import { allFinite } from '../kernels/narrow.ts';
import { once } from '../kernels/once.ts';
import { toFloat32 } from '../kernels/views.ts';
import { streamable } from './encode.ts';

/** Float weights to convert to codes. */
export interface CodesGiven {
  readonly tensor: Tensor;
  /** The shape of the matrix that its elements form. */
  readonly shape: MatrixShape;
  /**
   * Whether the file stores the matrix as `[outputs, inputs]`, as in Gemm with transB; otherwise as `[inputs,
   * outputs]`.
   */
  readonly outFirst: boolean;
  /** A factor folded into the numbers: the alpha of a Gemm. */
  readonly factor: number;
}

/** Codes, and their loss. */
export interface MeasuredCodes<C extends Coded = Codes> {
  readonly codes: C;
  readonly losses: Losses;
  /** Releases the memory of the codes for reuse; called once, when they are no longer needed. */
  readonly release?: (() => void) | undefined;
}

const lowbits = once(() => import('../compute/lowbits.ts'));

/**
 * Chooses the codes of a weight without data. All threads read a weight in a file, in chunks.
 * @param order - the order in which codes are stored; codes of large weights are packed in this order as they are found
 * @returns undefined if they hold NaN or infinity
 * @throws CompressError if they cannot be read, RangeError for a method that does not support the form
 */
export async function codesOf(
  given: CodesGiven,
  form: BlockForm,
  how: CodesOptions,
  order?: Order,
): Promise<MeasuredCodes<Codes | PackedCodes> | undefined> {
  const { tensor, shape, outFirst, factor } = given;
  const where = streamable({ tensor, transposed: false, factor: 1 });
  if (where !== undefined && (await worthStreaming(elementCount(tensor.dims)))) {
    const { codesOfStored } = await lowbits();
    const matrix = { ...shape, format: where.format, outFirst, factor };
    return measured(await codesOfStored(where.stored, matrix, form, how, order));
  }
  const matrix = await matrixOf(given);
  return matrix && codesOfMatrix(matrix, shape, form, how);
}

/**
 * The same for a matrix in memory.
 * @param matrix - `[outputs, inputs]`, all finite
 */
export async function codesOfMatrix(
  matrix: Float32Array,
  shape: MatrixShape,
  form: BlockForm,
  how: CodesOptions,
): Promise<MeasuredCodes> {
  if (await worthStreaming(matrix.length)) {
    const { codesOfFloats } = await lowbits();
    const found = codesOfFloats(matrix, { ...shape, outFirst: true, factor: 1 }, form, how);
    return measured(found) as MeasuredCodes;
  }
  const codes = (how.multipliers ? searchMultipliers : searchCodes)(matrix, shape, form, how);
  return measuredCodes(matrix, codes);
}

/** Codes with their loss on a matrix. */
export function measuredCodes(matrix: Float32Array, codes: Codes): MeasuredCodes {
  return measured({ codes, ...lossOfCodes(matrix, codes) }) as MeasuredCodes;
}

function measured<C extends Coded>(found: CodesAndLoss<C> | undefined): MeasuredCodes<C> | undefined {
  if (found === undefined) return undefined;
  const losses = new Losses();
  losses.add(found);
  return { codes: found.codes, losses, release: found.release };
}

/** The whole weight in memory as `[outputs, inputs]`; undefined if it holds NaN or infinity. */
export async function matrixOf({ tensor, shape, outFirst, factor }: CodesGiven): Promise<Float32Array | undefined> {
  const floats = toFloat32(await tensor.load(), tensor.dtype as FloatDType);
  const scaled = factor === 1 ? floats : floats.map((one) => one * factor);
  if (!allFinite(scaled)) return undefined;
  return outFirst ? scaled : transpose(scaled, shape.inputs, shape.outputs);
}
