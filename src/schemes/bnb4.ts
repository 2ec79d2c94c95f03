import { chunksOf } from '../compute/chunks.ts';
import { elementCount, type FloatDType, isFloat } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import { toFloat32 } from '../kernels/views.ts';
import type { Decodable } from './decodable.ts';
import { type Reals, swapped } from './reals.ts';
import { granularityName } from './scheme.ts';

/** Magnitudes of FP4; codes with the highest bit set are negative. */
const FP4 = [0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4];
/** Quantiles of the normal distribution. */
const NF4 = [
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635],
  ...[-0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725],
  ...[0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
];

/**
 * The values of 4-bit codes, relative to the largest magnitude of their block, by `quant_type`.
 * @see https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/contrib_ops/cpu/quantization/blockwise_quant_block_bnb4.h
 */
const KINDS: readonly { readonly name: string; readonly levels: Float32Array }[] = [
  { name: 'FP4', levels: Float32Array.from([...FP4, ...FP4.map((one) => -one)]) },
  { name: 'NF4', levels: Float32Array.from(NF4) },
];

/**
 * 4-bit codes, two per byte, the first in the high bits. Every `block` codes share a scale; blocks may cross row ends.
 */
export interface Bnb4 {
  /** 0: FP4, 1: NF4. */
  readonly kind: number;
  readonly codes: Tensor;
  /** The largest magnitude of each block. */
  readonly scale: Tensor;
  readonly block: number;
  /** Dims of the matrix. */
  readonly dims: readonly [number, number];
}

/** The weight of a MatMulBnb4; undefined if its parts do not fit together. */
export function bnb4({ kind, codes, scale, block, dims }: Bnb4): Decodable | undefined {
  const total = elementCount(dims);
  const known = KINDS[kind];
  const fits =
    known !== undefined &&
    isFloat(scale.dtype) &&
    codes.dtype === 'uint8' &&
    block > 0 &&
    codes.byteLength === Math.ceil(total / 2) &&
    elementCount(scale.dims) === Math.ceil(total / block);
  if (!fits) return undefined;
  /**
   * Loads the scales; returns a function that decodes `length` codes from element `start` on, stored in `bytes` from
   * code `at` on.
   */
  const toReals = async (): Promise<(bytes: Uint8Array, at: number, start: number, length: number) => Float32Array> => {
    const scales = toFloat32(await scale.load(), scale.dtype as FloatDType);
    return (bytes, at, start, length) => {
      const out = new Float32Array(length);
      for (let index = 0; index < length; index++) {
        const byte = bytes[(at + index) >> 1] as number;
        const code = (at + index) % 2 === 0 ? byte >> 4 : byte & 15;
        out[index] = (known.levels[code] as number) * (scales[Math.floor((start + index) / block)] as number);
      }
      return out;
    };
  };
  const reals: Reals = async function* () {
    const real = await toReals();
    let start = 0;
    for await (const bytes of chunksOf(codes)) {
      yield real(bytes, 0, start, Math.min(2 * bytes.length, total - start));
      start += 2 * bytes.length;
    }
  };
  const sharing = granularityName({ kind: 'block', axis: 0, size: block });
  return {
    scheme: { name: `${known.name} ${sharing}`, sharing, bits: 4, symmetric: true },
    parts: [codes, scale],
    dims,
    dtype: scale.dtype as FloatDType,
    reals,
    swapped: swapped(dims, async () => {
      const [real, bytes] = [await toReals(), await codes.load()];
      return (start, length) => real(bytes, start, start, length);
    }),
  };
}
