import { type DType, elementCount } from '../ir/dtype.ts';
import type { Constant } from '../ir/graph.ts';
import type { Tensor } from '../ir/tensor.ts';
import { broadcastDims } from '../kernels/constant/shape.ts';
import { isPacked } from './packed.ts';

/** Computes lines `from` to `to` of the first axis, with all elements of the axes after it. */
export type Lines = (from: number, to: number) => Promise<Float32Array>;

/**
 * A value that nodes compute from constants when a model is loaded: unpacked and dequantized codes. It is computed a
 * few lines of its first axis at a time.
 */
export interface Computed {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Reads small constants; returns a function that computes lines. */
  readonly open: () => Promise<Lines>;
  /** The integers it is computed from: the codes, or else the largest tensor. */
  readonly source: Constant | undefined;
  /** All constants it is computed from. */
  readonly parts: readonly Tensor[];
  /** Bits per code, if bytes hold several. */
  readonly bits: number | undefined;
  /** Whether a zero point per scale is subtracted. */
  readonly centred: boolean;
  /** Whether floats were multiplied by scales. */
  readonly scaled: boolean;
}

/** The combined sources of several values. */
function joined(all: readonly Computed[]): Pick<Computed, 'source' | 'parts' | 'bits' | 'centred' | 'scaled'> {
  // Bytes that hold several codes take precedence over scales and factors.
  const codes = all.filter((one) => one.bits !== undefined);
  const sources = (codes.length > 0 ? codes : all).flatMap((one) => one.source ?? []);
  const [source] = sources.sort((a, b) => b.tensor.byteLength - a.tensor.byteLength);
  return {
    source,
    parts: [...new Set(all.flatMap((one) => one.parts))],
    bits: all.find((one) => one.bits !== undefined)?.bits,
    centred: all.some((one) => one.centred),
    scaled: all.some((one) => one.scaled),
  };
}

/** An elementwise operation on two values, with broadcasting. */
export function paired(
  a: Computed | undefined,
  b: Computed | undefined,
  operation: (x: number, y: number) => number,
): Computed | undefined {
  if (a === undefined || b === undefined || a.dtype !== b.dtype || isPacked(a.dtype)) return undefined;
  const dims = broadcastDims(a.dims, b.dims);
  if (dims === undefined || dims.length === 0 || a.dtype === 'int64') return undefined;
  const open = async (): Promise<Lines> => {
    const [left, right] = [await spread(a, dims), await spread(b, dims)];
    const line = elementCount(dims.slice(1));
    return async (from, to) => {
      const [x, y] = [await left(from, to), await right(from, to)];
      const out = new Float32Array((to - from) * line);
      for (let at = 0; at < out.length; at++) out[at] = operation(x[at] as number, y[at] as number);
      return out;
    };
  };
  return { dtype: a.dtype, dims, open, ...joined([a, b]) };
}

/** The lines of an operand broadcast to `dims`. */
async function spread(one: Computed, dims: readonly number[]): Promise<Lines> {
  const lines = await one.open();
  const own = [...Array<number>(dims.length - one.dims.length).fill(1), ...one.dims];
  const leads = own[0] === dims[0] && one.dims.length === dims.length;
  const whole = leads ? undefined : await lines(0, one.dims[0] ?? 1);
  const same = own.every((dim, axis) => dim === dims[axis]);
  if (same && leads) return lines;
  // For each place of a broadcast line, the index of its element in the operand's line.
  const places = placesOf(dims.slice(1), own.slice(1));
  const [line, length] = [elementCount(dims.slice(1)), elementCount(own.slice(1))];
  return async (from, to) => {
    const values = whole ?? (await lines(from, to));
    const out = new Float32Array((to - from) * line);
    if (values.length === 1) return out.fill(values[0] as number);
    for (let row = 0; row < to - from; row++) {
      const [at, first] = [row * line, leads ? row * length : 0];
      for (let place = 0; place < line; place++) out[at + place] = values[first + (places[place] as number)] as number;
    }
    return out;
  };
}

/** For each place of a shape, the index of the element that is broadcast to it from the shape `own`. */
function placesOf(dims: readonly number[], own: readonly number[]): Int32Array {
  const places = new Int32Array(elementCount(dims));
  for (let at = 0; at < places.length; at++) {
    let [rest, step, place] = [at, 1, 0];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const dim = dims[axis] as number;
      if (own[axis] !== 1) place += (rest % dim) * step;
      step *= own[axis] as number;
      rest = Math.floor(rest / dim);
    }
    places[at] = place;
  }
  return places;
}
