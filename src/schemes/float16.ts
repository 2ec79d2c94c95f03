import { elementCount, type HalfDType } from '../ir/dtype.ts';
import { piecewise, streamed, type Tensor } from '../ir/tensor.ts';
import { worthStreaming } from '../kernels/choose.ts';
import { halvesOf, LARGEST, measureHalves, type Rounding, Roundings } from '../kernels/halves.ts';
import { once } from '../kernels/once.ts';
import { asItIs, streamable } from './encode.ts';
import { type Reals, realsOf } from './reals.ts';
import { type EncodedHalves, halfScheme } from './scheme.ts';

/**
 * The least largest scale that float16 may hold. Below it, scales of quiet blocks become too coarse: the smallest
 * float16 numbers are 2⁻²⁴ apart.
 */
export const SAFE_HALF: number = 2 ** -13;

const stored = once(() => import('../compute/halves.ts'));

/**
 * Floats as 16-bit floats, rounded to nearest, ties to even; larger numbers become infinite. They are computed in
 * chunks when they are written.
 * @param tensor - a float tensor
 * @param name - name of the new tensor
 */
export async function encodeHalf(tensor: Tensor, name: string, dtype: HalfDType = 'float16'): Promise<EncodedHalves> {
  const { dims } = tensor;
  const where = streamable(asItIs(tensor));
  let data: Tensor;
  if (where !== undefined && (await worthStreaming(elementCount(dims)))) {
    const { halfStream } = await stored();
    data = streamed(name, dtype, dims, halfStream({ stored: where.stored, from: where.format, to: dtype }));
  } else {
    const reals = realsOf(tensor) as Reals;
    data = piecewise(name, dtype, dims, async function* () {
      for await (const chunk of reals()) yield halvesOf(chunk, dtype);
    });
  }
  return { scheme: halfScheme(dtype), data: { ...data, from: { tensor, name: tensor.name } } };
}

/** What a float tensor loses in 16 bits. Reads all of it. */
export async function roundingOf(tensor: Tensor, dtype: HalfDType): Promise<Rounding> {
  const where = streamable(asItIs(tensor));
  if (where !== undefined && (await worthStreaming(elementCount(tensor.dims)))) {
    const { roundingOfStored } = await stored();
    return roundingOfStored({ stored: where.stored, from: where.format, to: dtype });
  }
  const roundings = new Roundings();
  for await (const chunk of (realsOf(tensor) as Reals)()) measureHalves(roundings, chunk, dtype);
  return roundings;
}

/**
 * The largest relative rounding error in the normal range of each type: half a step. A tensor with a larger RMS error
 * contains numbers too small for the type.
 */
const LOSS: Readonly<Record<HalfDType, number>> = { float16: 2 ** -11, bfloat16: 2 ** -8 };

/** Why a tensor must stay as it is, worded to follow its name; undefined if 16 bits suffice. */
export function obstacle({ largest, signal, noise }: Rounding, dtype: HalfDType): HalfObstacle | undefined {
  if (largest > LARGEST[dtype]) {
    return {
      reason: 'out_of_range',
      detail: `it contains ${short(largest)}; the largest ${dtype} is ${short(LARGEST[dtype])}`,
    };
  }
  const loss = Math.sqrt(noise / Math.max(signal, Number.MIN_VALUE));
  if (loss <= LOSS[dtype]) return undefined;
  const percent = (part: number): string => `${Number((100 * part).toPrecision(2))} %`;
  const lost = `${dtype} would lose ${percent(loss)} of them, and at most ${percent(LOSS[dtype])} of larger ones`;
  const detail = `its values are too small: ${lost}`;
  return { reason: 'too_small', detail };
}

/** Why 16 bits are not enough for a tensor. */
export interface HalfObstacle {
  readonly reason: 'out_of_range' | 'too_small';
  readonly detail: string;
}

function short(value: number): string {
  return String(Number(value.toPrecision(5)));
}
