// x = (q − zeroPoint) · scale. The difference is exact in float32 and the product is rounded once.

@inline
function low8(bytes: v128, signed: bool): v128 {
  return signed ? i16x8.extend_low_i8x16_s(bytes) : i16x8.extend_low_i8x16_u(bytes);
}

@inline
function high8(bytes: v128, signed: bool): v128 {
  return signed ? i16x8.extend_high_i8x16_s(bytes) : i16x8.extend_high_i8x16_u(bytes);
}

@inline
function real(q: v128, zero: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(q, zero)), scale);
}

@inline
function one(at: usize, signed: bool, zero: i32, scale: f32): f32 {
  return <f32>((signed ? <i32>load<i8>(at) : <i32>load<u8>(at)) - zero) * scale;
}

export function dequantizeRows(
  data: usize, rows: i32, columns: i32, stride: i32,
  scale: usize, zeroPoint: usize, signed: bool,
  out: usize, outStride: i32,
): void {
  for (let row = 0; row < rows; row++) {
    const step = load<f32>(scale + (<usize>row << 2));
    const zero = zeroPoint == 0 ? 0 : load<i32>(zeroPoint + (<usize>row << 2));
    const s = f32x4.splat(step);
    const z = i32x4.splat(zero);
    let at = data + <usize>row * <usize>stride;
    let to = out + <usize>row * (<usize>outStride << 2);
    const end = at + <usize>columns;
    for (; at + 16 <= end; at += 16, to += 64) {
      const bytes = v128.load(at);
      const front = low8(bytes, signed);
      const back = high8(bytes, signed);
      v128.store(to, real(i32x4.extend_low_i16x8_s(front), z, s));
      v128.store(to, real(i32x4.extend_high_i16x8_s(front), z, s), 16);
      v128.store(to, real(i32x4.extend_low_i16x8_s(back), z, s), 32);
      v128.store(to, real(i32x4.extend_high_i16x8_s(back), z, s), 48);
    }
    for (; at < end; at++, to += 4) store<f32>(to, one(at, signed, zero, step));
  }
}

export function dequantizeColumns(
  data: usize, rows: i32, columns: i32, stride: i32,
  scale: usize, zeroPoint: usize, signed: bool,
  out: usize, outStride: i32,
): void {
  const none = i32x4.splat(0);
  const plain = zeroPoint == 0;
  for (let row = 0; row < rows; row++) {
    const start = data + <usize>row * <usize>stride;
    const target = out + <usize>row * (<usize>outStride << 2);
    let column: usize = 0;
    for (; column + 16 <= <usize>columns; column += 16) {
      const bytes = v128.load(start + column);
      const front = low8(bytes, signed);
      const back = high8(bytes, signed);
      const offset = column << 2;
      const s = scale + offset;
      const z = zeroPoint + offset;
      const to = target + offset;
      v128.store(to, real(i32x4.extend_low_i16x8_s(front), plain ? none : v128.load(z), v128.load(s)));
      v128.store(to, real(i32x4.extend_high_i16x8_s(front), plain ? none : v128.load(z, 16), v128.load(s, 16)), 16);
      v128.store(to, real(i32x4.extend_low_i16x8_s(back), plain ? none : v128.load(z, 32), v128.load(s, 32)), 32);
      v128.store(to, real(i32x4.extend_high_i16x8_s(back), plain ? none : v128.load(z, 48), v128.load(s, 48)), 48);
    }
    for (; column < <usize>columns; column++) {
      const offset = column << 2;
      const zero = plain ? 0 : load<i32>(zeroPoint + offset);
      store<f32>(target + offset, one(start + column, signed, zero, load<f32>(scale + offset)));
    }
  }
}
