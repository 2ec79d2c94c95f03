// q = clamp(roundHalfEven(x / scale) + zeroPoint). The clamp is done before rounding, in float. Its bounds are
// integers, so the result is the same, and clamped values are small enough for the trick of adding 1.5 · 2^23: the low
// bits of the sum are the integer, rounded half to even by the addition itself.
//
// Each call leaves two sums at RESULT (f64): of the squares of the numbers, and of the squares of the rounding errors.
import { RESULT, SCRATCH } from './area';

let signal: f64 = 0;
let noise: f64 = 0;
/** Bytes of float32 whose squares are summed in float32. A sum of a few hundred terms stays precise enough. */
const RUN: usize = 4096;

@inline
function square(x: v128): v128 {
  return f32x4.mul(x, x);
}

@inline
function four(a: v128, b: v128, c: v128, d: v128): v128 {
  return f32x4.add(f32x4.add(square(a), square(b)), f32x4.add(square(c), square(d)));
}

@inline
function total(x: v128): f64 {
  const front = <f64>f32x4.extract_lane(x, 0) + <f64>f32x4.extract_lane(x, 1);
  return front + <f64>f32x4.extract_lane(x, 2) + <f64>f32x4.extract_lane(x, 3);
}

function begin(): void {
  signal = 0;
  noise = 0;
}

function finish(): void {
  store<f64>(RESULT, signal);
  store<f64>(RESULT, noise, 8);
}

const ROUNDER: f32 = 12582912;
const ROUNDER_BITS: i32 = 0x4b400000;
/** Wide bounds for columns with zero points of their own; the exact clamp follows in 16-bit lanes. */
const WIDE: f32 = 1048576;
/** Rows and columns of a tile of `quantizeTransposed`; the tile, quantized, is 4 KiB. */
const TILE_ROWS: i32 = 16;
const TILE_COLUMNS: i32 = 256;

/** The integer plus ROUNDER. */
@inline
function round(x: v128, scale: v128, low: v128, high: v128): v128 {
  return f32x4.add(f32x4.pmin(high, f32x4.pmax(low, f32x4.div(x, scale))), f32x4.splat(ROUNDER));
}

/** The rounding error of x. */
@inline
function lost(x: v128, rounded: v128, scale: v128): v128 {
  return f32x4.sub(x, f32x4.mul(f32x4.sub(rounded, f32x4.splat(ROUNDER)), scale));
}

/** Sixteen integers of −128 … 255 as bytes. */
@inline
function pack(a: v128, b: v128, c: v128, d: v128): v128 {
  const mask = i16x8.splat(0xff);
  return i8x16.narrow_i16x8_u(
    v128.and(i16x8.narrow_i32x4_s(a, b), mask),
    v128.and(i16x8.narrow_i32x4_s(c, d), mask),
  );
}

/** The same with zero points added and clamped in 16-bit lanes. */
@inline
function packWithin(a: v128, b: v128, c: v128, d: v128, min: v128, max: v128): v128 {
  const mask = i16x8.splat(0xff);
  const front = i16x8.max_s(min, i16x8.min_s(max, i16x8.narrow_i32x4_s(a, b)));
  const back = i16x8.max_s(min, i16x8.min_s(max, i16x8.narrow_i32x4_s(c, d)));
  return i8x16.narrow_i16x8_u(v128.and(front, mask), v128.and(back, mask));
}

@inline
function one(value: f32, scale: f32, zeroPoint: i32, min: i32, max: i32): i32 {
  const wide = i32(nearest(Mathf.max(-WIDE, Mathf.min(WIDE, value / scale)))) + zeroPoint;
  const q = wide < min ? min : wide > max ? max : wide;
  const rest = <f64>value - <f64>(q - zeroPoint) * <f64>scale;
  signal += <f64>value * <f64>value;
  noise += rest * rest;
  return q;
}

export function quantizeRows(
  data: usize, rows: i32, columns: i32, stride: i32,
  scale: usize, zeroPoint: usize, min: i32, max: i32,
  out: usize, outStride: i32,
): void {
  begin();
  quantizeSomeRows(data, rows, columns, stride, scale, zeroPoint, min, max, out, outStride);
  finish();
}

function quantizeSomeRows(
  data: usize, rows: i32, columns: i32, stride: i32,
  scale: usize, zeroPoint: usize, min: i32, max: i32,
  out: usize, outStride: i32,
): void {
  for (let row = 0; row < rows; row++) {
    const step = load<f32>(scale + (<usize>row << 2));
    const zero = zeroPoint == 0 ? 0 : load<i32>(zeroPoint + (<usize>row << 2));
    const s = f32x4.splat(step);
    const low = f32x4.splat(<f32>(min - zero));
    const high = f32x4.splat(<f32>(max - zero));
    const bias = i32x4.splat(ROUNDER_BITS - zero);
    let at = data + <usize>row * (<usize>stride << 2);
    let to = out + <usize>row * <usize>outStride;
    const end = at + (<usize>columns << 2);
    while (at + 16 <= end) {
      const last = at + RUN < end ? at + RUN : end;
      let ours = f32x4.splat(0);
      let gone = f32x4.splat(0);
      for (; at + 64 <= last; at += 64, to += 16) {
        const x = v128.load(at);
        const y = v128.load(at, 16);
        const z = v128.load(at, 32);
        const w = v128.load(at, 48);
        const a = round(x, s, low, high);
        const b = round(y, s, low, high);
        const c = round(z, s, low, high);
        const d = round(w, s, low, high);
        ours = f32x4.add(ours, four(x, y, z, w));
        gone = f32x4.add(gone, four(lost(x, a, s), lost(y, b, s), lost(z, c, s), lost(w, d, s)));
        v128.store(to, pack(i32x4.sub(a, bias), i32x4.sub(b, bias), i32x4.sub(c, bias), i32x4.sub(d, bias)));
      }
      for (; at + 16 <= last; at += 16, to += 4) {
        const x = v128.load(at);
        const a = round(x, s, low, high);
        const q = i32x4.sub(a, bias);
        ours = f32x4.add(ours, square(x));
        gone = f32x4.add(gone, square(lost(x, a, s)));
        v128.store32_lane(to, pack(q, q, q, q), 0);
      }
      signal += total(ours);
      noise += total(gone);
    }
    for (; at < end; at += 4, to++) store<u8>(to, one(load<f32>(at), step, zero, min, max));
  }
}

export function quantizeColumns(
  data: usize, rows: i32, columns: i32, stride: i32,
  scale: usize, zeroPoint: usize, min: i32, max: i32,
  out: usize, outStride: i32,
): void {
  begin();
  const plain = zeroPoint == 0;
  const low = f32x4.splat(plain ? <f32>min : -WIDE);
  const high = f32x4.splat(plain ? <f32>max : WIDE);
  const bias = i32x4.splat(ROUNDER_BITS);
  const least = i16x8.splat(<i16>min);
  const most = i16x8.splat(<i16>max);
  const width = <usize>columns << 2;
  for (let row = 0; row < rows; row++) {
    const start = data + <usize>row * (<usize>stride << 2);
    let to = out + <usize>row * <usize>outStride;
    let at: usize = 0;
    while (at + 64 <= width) {
      const last = at + RUN < width ? at + RUN : width;
      let ours = f32x4.splat(0);
      let gone = f32x4.splat(0);
      for (; at + 64 <= last; at += 64, to += 16) {
        const from = start + at;
        const s = scale + at;
        const x = v128.load(from);
        const y = v128.load(from, 16);
        const z = v128.load(from, 32);
        const w = v128.load(from, 48);
        const e = v128.load(s);
        const f = v128.load(s, 16);
        const g = v128.load(s, 32);
        const h = v128.load(s, 48);
        let a = round(x, e, low, high);
        let b = round(y, f, low, high);
        let c = round(z, g, low, high);
        let d = round(w, h, low, high);
        ours = f32x4.add(ours, four(x, y, z, w));
        gone = f32x4.add(gone, four(lost(x, a, e), lost(y, b, f), lost(z, c, g), lost(w, d, h)));
        a = i32x4.sub(a, bias);
        b = i32x4.sub(b, bias);
        c = i32x4.sub(c, bias);
        d = i32x4.sub(d, bias);
        if (plain) {
          v128.store(to, pack(a, b, c, d));
        } else {
          const n = zeroPoint + at;
          a = i32x4.add(a, v128.load(n));
          b = i32x4.add(b, v128.load(n, 16));
          c = i32x4.add(c, v128.load(n, 32));
          d = i32x4.add(d, v128.load(n, 48));
          v128.store(to, packWithin(a, b, c, d, least, most));
        }
      }
      signal += total(ours);
      noise += total(gone);
    }
    for (; at < width; at += 4, to++) {
      const zero = plain ? 0 : load<i32>(zeroPoint + at);
      store<u8>(to, one(load<f32>(start + at), load<f32>(scale + at), zero, min, max));
    }
  }
  finish();
}

@inline
function interleaveLow(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

@inline
function interleaveHigh(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/**
 * Transposes eight rows of sixteen bytes to sixteen rows of eight. Interleaving the first half of the 128 bytes with
 * the second rotates the bits of every byte's address by one; doing so three times maps [row, column] to [column, row].
 */
@inline
function transpose8x16(from: usize, to: usize, stride: usize): void {
  let a0 = v128.load(from);
  let a1 = v128.load(from, 256);
  let a2 = v128.load(from, 512);
  let a3 = v128.load(from, 768);
  let a4 = v128.load(from, 1024);
  let a5 = v128.load(from, 1280);
  let a6 = v128.load(from, 1536);
  let a7 = v128.load(from, 1792);
  for (let round = 0; round < 3; round++) {
    const b0 = interleaveLow(a0, a4);
    const b1 = interleaveHigh(a0, a4);
    const b2 = interleaveLow(a1, a5);
    const b3 = interleaveHigh(a1, a5);
    const b4 = interleaveLow(a2, a6);
    const b5 = interleaveHigh(a2, a6);
    const b6 = interleaveLow(a3, a7);
    const b7 = interleaveHigh(a3, a7);
    a0 = b0; a1 = b1; a2 = b2; a3 = b3; a4 = b4; a5 = b5; a6 = b6; a7 = b7;
  }
  to = storeTwo(to, a0, stride);
  to = storeTwo(to, a1, stride);
  to = storeTwo(to, a2, stride);
  to = storeTwo(to, a3, stride);
  to = storeTwo(to, a4, stride);
  to = storeTwo(to, a5, stride);
  to = storeTwo(to, a6, stride);
  storeTwo(to, a7, stride);
}

@inline
function storeTwo(to: usize, v: v128, stride: usize): usize {
  v128.store64_lane(to, v, 0);
  v128.store64_lane(to + stride, v, 1);
  return to + (stride << 1);
}

export function quantizeTransposed(
  data: usize, rows: i32, columns: i32, stride: i32,
  scale: usize, zeroPoint: usize, min: i32, max: i32,
  out: usize, outStride: i32,
): void {
  begin();
  for (let left = 0; left < columns; left += TILE_COLUMNS) {
    const width = columns - left < TILE_COLUMNS ? columns - left : TILE_COLUMNS;
    for (let top = 0; top < rows; top += TILE_ROWS) {
      const height = rows - top < TILE_ROWS ? rows - top : TILE_ROWS;
      const from = data + ((<usize>top * <usize>stride + <usize>left) << 2);
      const zero: usize = zeroPoint == 0 ? 0 : zeroPoint + (<usize>top << 2);
      quantizeSomeRows(from, height, width, stride, scale + (<usize>top << 2), zero, min, max, SCRATCH, TILE_COLUMNS);
      const to = out + <usize>left * <usize>outStride + <usize>top;
      const full = height == TILE_ROWS ? width & ~15 : 0;
      for (let column = 0; column < full; column += 16) {
        const corner = to + <usize>column * <usize>outStride;
        transpose8x16(SCRATCH + column, corner, outStride);
        transpose8x16(SCRATCH + column + 2048, corner + 8, outStride);
      }
      for (let column = full; column < width; column++) {
        const line = to + <usize>column * <usize>outStride;
        for (let row = 0; row < height; row++) {
          store<u8>(line + <usize>row, load<u8>(SCRATCH + <usize>row * <usize>TILE_COLUMNS + <usize>column));
        }
      }
    }
  }
  finish();
}
