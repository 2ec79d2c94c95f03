// float16 and bfloat16 to float32 and back.

/** Four float16 in 32-bit lanes to float32: exponents rebased by addition, subnormals normalized by a subtraction. */
@inline
function widen(h: v128): v128 {
  const rebase = i32x4.splat(0x38000000);
  const shifted = i32x4.shl(v128.and(h, i32x4.splat(0x7fff)), 13);
  const exponent = v128.and(shifted, i32x4.splat(0x0f800000));
  const special = i32x4.eq(exponent, i32x4.splat(0x0f800000));
  const normal = i32x4.add(i32x4.add(shifted, rebase), v128.and(special, rebase));
  const half = i32x4.splat(0x38800000); // 2^-14
  const small = f32x4.sub(i32x4.add(shifted, half), half);
  const magnitude = v128.bitselect(small, normal, i32x4.eq(exponent, i32x4.splat(0)));
  return v128.or(magnitude, i32x4.shl(v128.and(h, i32x4.splat(0x8000)), 16));
}

/** Four float32 to float16 in 32-bit lanes, rounded half to even. NaN stays NaN: quiet, with the top of its payload. */
@inline
function narrow(f: v128): v128 {
  const magnitude = v128.and(f, i32x4.splat(0x7fffffff));
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(magnitude, i32x4.splat(0xc8000fff)), odd), 13);
  // 0.5 has the same spacing as float16's subnormals: the addition rounds, and the low bits are the result.
  const half = f32x4.splat(0.5);
  const small = i32x4.sub(f32x4.add(magnitude, half), half);
  const infinity = i32x4.splat(0x7f800000);
  const nan = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(0x3ff));
  const isNan = i32x4.gt_s(magnitude, infinity);
  const special = v128.or(i32x4.splat(0x7c00), v128.and(isNan, v128.or(nan, i32x4.splat(0x200))));
  const finite = v128.bitselect(small, normal, i32x4.lt_s(magnitude, i32x4.splat(0x38800000)));
  const result = v128.bitselect(special, finite, i32x4.ge_s(magnitude, i32x4.splat(0x47800000)));
  return v128.or(result, v128.and(i32x4.shr_u(f, 16), i32x4.splat(0x8000)));
}

export function halfToFloat(data: usize, length: i32, out: usize): void {
  const end = data + (<usize>length << 1);
  for (; data + 16 <= end; data += 16, out += 32) {
    const words = v128.load(data);
    v128.store(out, widen(i32x4.extend_low_i16x8_u(words)));
    v128.store(out, widen(i32x4.extend_high_i16x8_u(words)), 16);
  }
  for (; data < end; data += 2, out += 4) {
    v128.store32_lane(out, widen(i32x4.splat(<i32>load<u16>(data))), 0);
  }
}

export function bfloatToFloat(data: usize, length: i32, out: usize): void {
  const end = data + (<usize>length << 1);
  const zero = i16x8.splat(0);
  for (; data + 16 <= end; data += 16, out += 32) {
    const words = v128.load(data);
    v128.store(out, v128.shuffle<i16>(zero, words, 0, 8, 0, 9, 0, 10, 0, 11));
    v128.store(out, v128.shuffle<i16>(zero, words, 0, 12, 0, 13, 0, 14, 0, 15), 16);
  }
  for (; data < end; data += 2, out += 4) store<u32>(out, <u32>load<u16>(data) << 16);
}

export function floatToHalf(data: usize, length: i32, out: usize): void {
  const end = data + (<usize>length << 2);
  for (; data + 32 <= end; data += 32, out += 16) {
    v128.store(out, i16x8.narrow_i32x4_u(narrow(v128.load(data)), narrow(v128.load(data, 16))));
  }
  for (; data < end; data += 4, out += 2) {
    v128.store16_lane(out, narrow(i32x4.splat(load<i32>(data))), 0);
  }
}

/**
 * Four float32 to bfloat16 in 32-bit lanes, rounded half to even. NaN stays NaN: quiet, with the top of its payload.
 */
@inline
function cut(f: v128): v128 {
  const odd = v128.and(i32x4.shr_u(f, 16), i32x4.splat(1));
  const rounded = i32x4.add(i32x4.add(f, i32x4.splat(0x7fff)), odd);
  const quiet = v128.or(f, i32x4.splat(0x00400000));
  const isNan = i32x4.gt_s(v128.and(f, i32x4.splat(0x7fffffff)), i32x4.splat(0x7f800000));
  return i32x4.shr_u(v128.bitselect(quiet, rounded, isNan), 16);
}

export function floatToBfloat(data: usize, length: i32, out: usize): void {
  const end = data + (<usize>length << 2);
  for (; data + 32 <= end; data += 32, out += 16) {
    v128.store(out, i16x8.narrow_i32x4_u(cut(v128.load(data)), cut(v128.load(data, 16))));
  }
  for (; data < end; data += 4, out += 2) {
    v128.store16_lane(out, cut(i32x4.splat(load<i32>(data))), 0);
  }
}
