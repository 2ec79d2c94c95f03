import type { ColumnKernels } from './columns.ts';

/**
 * What the SIMD module and its scalar fallback both offer. Every function works inside one arena's memory: arrays are
 * byte offsets from `Arena.allocate`, lengths, `rows` and `columns` are elements, and a `stride` is the distance of two
 * rows in elements of the array it belongs to. Offsets are multiples of the element size (any number for bytes).
 *
 * All of them go on where the last call ended, so a tensor cut into chunks gives what it gives in one piece. Matrices
 * are `[rows, columns]`, row-major; a window of columns is `data + 4·from`, `scale + 4·from` … with the whole row's
 * stride. `Rows`: a scale (or range) for each row, which with one row is "per tensor". `Columns`: one for each column.
 * Input and output must not overlap, except where it says "in place".
 */
export interface Kernels extends ColumnKernels {
  /**
   * Widens `min[row]` and `max[row]` (float32, to begin with 0) to hold the row's elements.
   * @returns 1, or 0 where an element is NaN or infinite; then `min` and `max` mean nothing
   */
  rangeRows(data: number, rows: number, columns: number, stride: number, min: number, max: number): number;

  /** The same for `min[column]` and `max[column]`. */
  rangeColumns(data: number, rows: number, columns: number, stride: number, min: number, max: number): number;

  /**
   * `q = clamp(roundHalfEven(x / scale) + zeroPoint, min, max)`, the division in float32: bit-equal to
   * `quantizeLinear`.
   * @param data - float32 [rows, columns], all finite
   * @param scale - float32 [rows], normal numbers above 0
   * @param zeroPoint - int32 [rows], in −32,768 … 32,767; or 0 (no array) where all are 0
   * @param min - −128 or more
   * @param max - 255 or less
   * @param out - bytes [rows, columns], two's complement where q is negative; at {@link RESULT} the sums of squares of
   *   the numbers and of what rounding takes from them in this call (f64 each)
   */
  quantizeRows: Quantize;

  /** The same with `scale` and `zeroPoint` of shape [columns]. */
  quantizeColumns: Quantize;

  /**
   * {@link Kernels.quantizeRows} with `out` transposed: bytes [columns, rows], `outStride` (≥ rows) between columns.
   */
  quantizeTransposed: Quantize;

  /**
   * `x = (q − zeroPoint) · scale` in float32.
   * @param data - bytes [rows, columns], two's complement where `signed`
   * @param scale - float32 [rows]
   * @param zeroPoint - int32 [rows], or 0 (no array) where all are 0
   * @param out - float32 [rows, columns]
   */
  dequantizeRows: Dequantize;

  /** The same with `scale` and `zeroPoint` of shape [columns]. */
  dequantizeColumns: Dequantize;

  /**
   * Counts the upper 16 bits, without the sign, of float32 elements into the arena's histogram; at {@link RESULT} the
   * numbers of zeros and NaN in this call (u32 each). Called through `MagnitudeHistogram`.
   */
  countTop(data: number, length: number): void;

  /** Counts the lower 16 bits of those elements whose upper ones, without the sign, are `top`. */
  countLow(data: number, length: number, top: number): void;

  /**
   * Searches for a threshold between two magnitudes (bits without the sign): writes those from `low` to `high`,
   * inclusive, to `out` in order, at most `room` of them. At {@link RESULT}: the number of elements below `low`, zero,
   * NaN, and in between (u32 each).
   * @param low - above 0
   * @param out - u32 [room]
   */
  countWithin(data: number, length: number, low: number, high: number, out: number, room: number): void;

  /** In place: float32 [length] become their magnitudes, the bits without the sign. */
  magnitudes(data: number, length: number): void;

  /** Counts the magnitudes, u32 [length], below `bits` and equal to it: at {@link RESULT}, u32 each. */
  countBeside(data: number, length: number, bits: number): void;

  /**
   * In place: elements with a magnitude (bits without the sign) below `threshold` become 0, and so do the first `ties`
   * equal ones. At {@link RESULT}: the ties used, and the number of newly zeroed elements (u32 each). Called through
   * `zeroBelow`.
   */
  zeroBelow(data: number, length: number, threshold: number, ties: number): void;

  /** float16 [length] to float32 [length], exact, NaN payloads included. */
  halfToFloat(data: number, length: number, out: number): void;

  /** bfloat16 [length] to float32 [length], exact. */
  bfloatToFloat(data: number, length: number, out: number): void;

  /**
   * float32 [length] to float16 [length], rounded to nearest, ties to even: too large becomes infinity, NaN becomes a
   * quiet NaN with the upper bits of its payload, as processors convert.
   */
  floatToHalf(data: number, length: number, out: number): void;

  /** float32 [length] to bfloat16 [length], rounded and with NaN as {@link Kernels.floatToHalf}. */
  floatToBfloat(data: number, length: number, out: number): void;

  /**
   * Scales and zero points of blocks, by the search of lowbits/block.ts in float32, bit-equal to it.
   * @param data - float32, all finite: an output's weights lie `across` elements apart, and outputs `along`; one of
   *   them is 1
   * @param steps - int32 [count], an even number: what the candidates have, in parts of lowbits/candidates.ts
   * @param zeros - 1 or 2 zero points for each scale
   * @param empty - the scale of a block of zeros
   * @param weights - float32 [inputs], how much an error of each counts; or 0 (no array) where all count the same
   * @param work - {@link LOWBITS_NOTES} bytes, 80 for each input of a block, and 16
   * @param stride - of scales and zero points, from an output to the next one: at least as many as there are blocks
   * @param scale - float32 [outputs, stride]
   * @param zero - bytes [outputs, stride]; or 0 (no array) where symmetric
   * @param half - whether the scales become numbers that float16 has, as `halfOf` of lowbits/search.ts makes them
   * @param out - for the codes too, as those of `takeCodes`, and what they lose; or 0 (no array)
   */
  searchBlocks(
    data: number,
    outputs: number,
    inputs: number,
    along: number,
    across: number,
    block: number,
    bits: number,
    symmetric: boolean,
    steps: number,
    count: number,
    zeros: number,
    empty: number,
    weights: number,
    work: number,
    stride: number,
    scale: number,
    zero: number,
    half: boolean,
    out: number,
    outAlong: number,
    outAcross: number,
    packed: boolean,
  ): void;

  /**
   * The nearest codes for scales and zero points, as `takeCodes` of lowbits/block.ts; at {@link RESULT} the sums of
   * squares of the weights and of what rounding takes from them (f64 each).
   * @param work - {@link LOWBITS_NOTES} bytes, and 64 for each input of a block
   * @param stride - of scales and zero points, from an output to the next one
   * @param out - a byte for each; those of an output lie `outAcross` apart, and outputs `outAlong`; one of them is 1
   * @param packed - where `bits` is 2 or 4, a byte has as many codes of an output as fit, the first in the low bits;
   *   the last block is filled up with the codes of 0. A block is a whole number of bytes.
   */
  takeCodes(
    data: number,
    outputs: number,
    inputs: number,
    along: number,
    across: number,
    block: number,
    bits: number,
    stride: number,
    scale: number,
    zero: number,
    work: number,
    out: number,
    outAlong: number,
    outAcross: number,
    packed: boolean,
  ): void;

  /**
   * Steps and factors, as `FactorRow` of lowbits/factors.ts, bit-equal to it; symmetric codes of 2 or 4 bits.
   * @param scale - float32 [outputs, blocks], of each block by itself; 0 for one of zeros
   * @param fractions - float32 [count], an even number
   * @param work - {@link LOWBITS_NOTES} bytes and 16 for each input, with the last block as long as the others
   * @param step - float32 [outputs]
   * @param factor - int8 [outputs, blocks]
   * @param known - room for float32 [blocks, 2, 4]
   */
  chooseFactors(
    data: number,
    outputs: number,
    inputs: number,
    along: number,
    across: number,
    block: number,
    bits: number,
    scale: number,
    fractions: number,
    count: number,
    weights: number,
    work: number,
    step: number,
    factor: number,
    known: number,
  ): void;
}

/** Bytes of notes that the low-bit kernels keep before the block. */
export const LOWBITS_NOTES = 128;

/** See {@link Kernels.quantizeRows}. */
export type Quantize = (
  data: number,
  rows: number,
  columns: number,
  stride: number,
  scale: number,
  zeroPoint: number,
  min: number,
  max: number,
  out: number,
  outStride: number,
) => void;

/** See {@link Kernels.dequantizeRows}. */
export type Dequantize = (
  data: number,
  rows: number,
  columns: number,
  stride: number,
  scale: number,
  zeroPoint: number,
  signed: boolean,
  out: number,
  outStride: number,
) => void;

// The first bytes of an arena, as assembly/area.ts has them.

/** Four u32, or two f64: the results of kernels with more than one. */
export const RESULT = 16;
/** The counters of an arena's only histogram: u32 [32768, 4], or u32 [65536]. */
export const HISTOGRAM = 65_536;
/** Bytes of the counters. */
export const HISTOGRAM_BYTES: number = 32_768 * 4 * 4;
/** Where allocations begin. */
export const HEAP: number = HISTOGRAM + HISTOGRAM_BYTES;
