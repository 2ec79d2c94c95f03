import { elementCount, type FloatDType } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import { worthStreaming } from '../kernels/choose.ts';
import { transpose } from '../kernels/layout.ts';
import { Losses } from '../kernels/loss.ts';
import type { BlockForm, Codes, MatrixShape } from '../kernels/lowbits/codes.ts';
import type { CodesHow } from '../kernels/lowbits/codesSteps.ts';
import { lossOfCodes } from '../kernels/lowbits/loss.ts';
import { searchMultipliers } from '../kernels/lowbits/multipliers.ts';
import { searchCodes } from '../kernels/lowbits/search.ts';
import { once } from '../kernels/once.ts';
import { toFloat32 } from '../kernels/views.ts';
import { streamable } from './encode.ts';

/** Float weights that are to become codes. */
export interface CodesGiven {
  /** A matrix, or several in axes before the last two. */
  readonly tensor: Tensor;
  /** Whether a matrix is `[outputs, inputs]` in the file, as in Gemm with transB; else `[inputs, outputs]`. */
  readonly outFirst: boolean;
  /** Factor folded into the numbers: alpha of a Gemm. */
  readonly factor: number;
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
 * Weights as codes, chosen without data: read in pieces where they lie in a file, by the threads there are.
 * @returns undefined where they hold NaN or infinity
 * @throws CompressError where they cannot be read, RangeError for a method that the form does not go with
 */
export async function codesOf(given: CodesGiven, form: BlockForm, how: CodesHow): Promise<MeasuredCodes | undefined> {
  const { tensor, outFirst, factor } = given;
  const shape = codesShape(given);
  const elements = elementCount(tensor.dims);
  const losses = new Losses();
  if (!(await worthStreaming(elements))) {
    const matrix = await rowsOf(given);
    if (!matrix.every(Number.isFinite)) return undefined;
    const codes = (how.multipliers ? searchMultipliers : searchCodes)(matrix, shape, form, how);
    losses.add(lossOfCodes(matrix, codes));
    return { ...codes, losses };
  }
  const { codesOfFloats, codesOfStored } = await lowbits();
  const count = elementCount(tensor.dims.slice(0, -2));
  const matrices = { ...shape, outputs: shape.outputs / count, count, outFirst, factor };
  const where = streamable({ tensor, transposed: false, factor: 1 });
  const found =
    where === undefined
      ? codesOfFloats(await floatsOf(tensor), { ...matrices, format: 'float32' }, form, how)
      : await codesOfStored(where.stored, { ...matrices, format: where.format }, form, how);
  if (found === undefined) return undefined;
  losses.add(found);
  return { ...found.codes, losses };
}

const lowbits = once(() => import('../compute/lowbits.ts'));

async function floatsOf(tensor: Tensor): Promise<Float32Array> {
  return toFloat32(await tensor.load(), tensor.dtype as FloatDType);
}

/** The weights, `[outputs, inputs]`, all of them in memory. */
export async function rowsOf({ tensor, outFirst, factor }: CodesGiven): Promise<Float32Array> {
  const stored = await floatsOf(tensor);
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
