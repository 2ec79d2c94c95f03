// float16 and bfloat16 to float32 and back, packing and unpacking of few bits.

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

/** Four float32 to float16 in 32-bit lanes, rounded half to even; NaN stays NaN, quiet, with the top of its payload. */
@inline
function narrow(f: v128): v128 {
  const magnitude = v128.and(f, i32x4.splat(0x7fffffff));
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(magnitude, i32x4.splat(0xc8000fff)), odd), 13);
  // 0.5 has the spacing of float16's subnormals: the addition rounds, the bits left over are the result.
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

/** Four float32 to bfloat16 in 32-bit lanes, rounded half to even; NaN stays NaN, quiet, with the top of its payload. */
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

/** Sixteen numbers of 4 bits as eight bytes, in 16-bit lanes. */
@inline
function nibbles(x: v128): v128 {
  return v128.or(v128.and(x, i16x8.splat(0x000f)), v128.and(i16x8.shr_u(x, 4), i16x8.splat(0x00f0)));
}

/** Sixteen numbers of 2 bits as four bytes, in 32-bit lanes. */
@inline
function quarters(x: v128): v128 {
  const two = v128.and(x, i8x16.splat(3));
  const four = v128.and(v128.or(two, i16x8.shr_u(two, 6)), i16x8.splat(15));
  return v128.and(v128.or(four, i32x4.shr_u(four, 12)), i32x4.splat(255));
}

export function packBits(data: usize, length: i32, bits: i32, out: usize): void {
  const end = data + <usize>length;
  if (bits == 4) {
    for (; data + 32 <= end; data += 32, out += 16) {
      v128.store(out, i8x16.narrow_i16x8_u(nibbles(v128.load(data)), nibbles(v128.load(data, 16))));
    }
  } else {
    for (; data + 64 <= end; data += 64, out += 16) {
      const front = i16x8.narrow_i32x4_u(quarters(v128.load(data)), quarters(v128.load(data, 16)));
      const back = i16x8.narrow_i32x4_u(quarters(v128.load(data, 32)), quarters(v128.load(data, 48)));
      v128.store(out, i8x16.narrow_i16x8_u(front, back));
    }
  }
  const mask = (1 << bits) - 1;
  while (data < end) {
    let byte = 0;
    for (let shift = 0; shift < 8 && data < end; shift += bits) byte |= (<i32>load<u8>(data++) & mask) << shift;
    store<u8>(out++, <u8>byte);
  }
}

export function packRows(data: usize, rows: i32, columns: i32, bits: i32, out: usize): void {
  const mask = i8x16.splat(bits == 4 ? 15 : 3);
  const together = 8 / bits;
  const step = <usize>columns;
  for (let row = 0; row < rows; row += together, data += step * <usize>together) {
    const end = data + step;
    let at = data;
    for (; at + 16 <= end; at += 16, out += 16) {
      let all = v128.and(v128.load(at), mask);
      for (let k = 1; k < together; k++) {
        all = v128.or(all, i8x16.shl(v128.and(v128.load(at + <usize>k * step), mask), k * bits));
      }
      v128.store(out, all);
    }
    for (; at < end; at++, out++) {
      let byte = 0;
      for (let k = 0; k < together; k++) {
        byte |= (<i32>load<u8>(at + <usize>k * step) & ((1 << bits) - 1)) << (k * bits);
      }
      store<u8>(out, <u8>byte);
    }
  }
}

/** Sign extension of sixteen nibbles: the bit of the sign is flipped and subtracted. */
@inline
function extended(nibbles: v128, sign: v128): v128 {
  return i8x16.sub(v128.xor(nibbles, sign), sign);
}

export function unpackInt4(data: usize, length: i32, signed: bool, out: usize): void {
  const end = out + <usize>length;
  const low = i8x16.splat(15);
  const flip: u8 = signed ? 8 : 0;
  const sign = i8x16.splat(flip);
  for (; out + 32 <= end; data += 16, out += 32) {
    const both = v128.load(data);
    const first = extended(v128.and(both, low), sign);
    const second = extended(i8x16.shr_u(both, 4), sign);
    v128.store(out, v128.shuffle<i8>(first, second, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    v128.store(out, v128.shuffle<i8>(first, second, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);
  }
  for (let high = false; out < end; out++, high = !high) {
    const nibble: u8 = high ? load<u8>(data++) >> 4 : load<u8>(data) & 15;
    store<u8>(out, (nibble ^ flip) - flip);
  }
}
