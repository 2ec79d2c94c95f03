import { elementCount, type FloatDType } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import { kernelsFor } from '../kernels/choose.ts';
import { expectedNoise } from '../kernels/fitted.ts';
import { measureHalves, Roundings } from '../kernels/halves.ts';
import { toFloat32 } from '../kernels/views.ts';
import { obstacle } from './float16.ts';
import { type Spread, spreadOf } from './scheme.ts';
import {
  coarsestWay,
  floatWay,
  halfWay,
  type IntegerWay,
  integerWays,
  type StoredForm,
  type StoredWay,
} from './ways.ts';

/** A way to store a weight, and its noise relative to the signal. */
export interface MeasuredWay {
  readonly way: StoredWay;
  readonly noise: number;
}

/** Larger weights are read in chunks and get the coarsest scales: they are never in memory whole. */
export const MOST_ELEMENTS: number = 1 << 24;
/** Relative noise of rounding to float16, if it is not measured. */
const HALF_NOISE = 4e-8;
/** Larger weights are not tried as float16: their bytes are better spent elsewhere. */
const MOST_HALVES: number = 1 << 18;

/**
 * Every way to store a weight, with its expected noise: a twelfth of the squared step per element. The step follows
 * from the range of the elements that share a scale. Reads the weight once.
 * @param of - name of the weight
 * @param whole - whether the weight may stay float, or become float16
 * @returns undefined if the weight holds NaN or infinity
 */
export async function measureWays(
  tensor: Tensor,
  form: StoredForm,
  of: string,
  whole: boolean,
): Promise<MeasuredWay[] | undefined> {
  const { dims, dtype } = tensor;
  const elements = elementCount(dims);
  if (elements > MOST_ELEMENTS) {
    const way = coarsestWay(dims, form);
    return [{ way, noise: predictedNoise(way) }];
  }
  const data = toFloat32(await tensor.load(), dtype as FloatDType);
  const kernels = await kernelsFor(elements);
  const { peak, signal } = extentOf(data);
  const measured: MeasuredWay[] = [];
  for (const way of integerWays(dims, form, peak, of)) {
    const layout = layoutOf(way);
    const range = kernels.rangeOf(data, layout);
    if (range === undefined) return undefined;
    measured.push({ way, noise: part(expectedNoise(range, layout, way.scheme), signal) });
  }
  if (!whole) return measured;
  if (dtype === 'float32' && elements <= MOST_HALVES) {
    const rounding = new Roundings();
    measureHalves(rounding, data, 'float16');
    if (obstacle(rounding, 'float16') === undefined) {
      measured.push({ way: halfWay(dims, of), noise: part(rounding.noise, signal) });
    }
  }
  measured.push({ way: floatWay(dims, dtype, of), noise: 0 });
  return measured;
}

/** Like {@link measureWays} for a weight that is not read: its elements are taken to be normally distributed. */
export function predictedWays(tensor: Tensor, form: StoredForm, of: string, whole: boolean): MeasuredWay[] {
  const { dims, dtype } = tensor;
  const measured: MeasuredWay[] = integerWays(dims, form, 1, of).map((way) => ({ way, noise: predictedNoise(way) }));
  if (!whole) return measured;
  if (dtype === 'float32' && elementCount(dims) <= MOST_HALVES) {
    measured.push({ way: halfWay(dims, of), noise: HALF_NOISE });
  }
  measured.push({ way: floatWay(dims, dtype, of), noise: 0 });
  return measured;
}

/**
 * The noise for normally distributed numbers: the largest magnitude of n is about √(2·ln n) times the root mean square.
 */
function predictedNoise(way: IntegerWay): number {
  const { outer, inner } = layoutOf(way);
  const { symmetric, limit } = way.scheme;
  const step = ((symmetric ? 1 : 2) * Math.sqrt(2 * Math.log(Math.max(2, outer * inner)))) / limit;
  return (step * step) / 12;
}

/** Which elements of a weight share a scale, for kernels. */
export function layoutOf({ scheme, dims }: IntegerWay): { outer: number; channels: number; inner: number } {
  const { outer, length, inner }: Spread = spreadOf(scheme.granularity, dims);
  return { outer, channels: length, inner };
}

/** The largest magnitude, and the sum of squares. */
function extentOf(data: Float32Array): { readonly peak: number; readonly signal: number } {
  let peak = 0;
  let signal = 0;
  for (let at = 0; at < data.length; at++) {
    const value = data[at] as number;
    if (value > peak) peak = value;
    else if (-value > peak) peak = -value;
    signal += value * value;
  }
  return { peak, signal };
}

/** The noise relative to the signal; 0 for a weight of zeros, which loses nothing. */
function part(noise: number, signal: number): number {
  return signal > 0 ? noise / signal : 0;
}
