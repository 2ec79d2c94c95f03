// Sums over a block for two candidates of scales, in integers, as `wholeTrial` in src/kernels/lowbits/scales.ts. A
// vector has two inputs of four outputs; the inputs of an output are adjacent.

const PARTS_SHIFT: i32 = 7;

@inline
function unitsBy(at: usize, length: i32, inverse: v128, rounder: f32, to: usize): void {
  const rounding = f32x4.splat(rounder);
  const low = i32x4.splat(0xffff);
  const half = i16x8.splat(<i16>(<i32>1 << (PARTS_SHIFT - 1)));
  const none = f32x4.splat(0);
  for (; length > 0; length -= 2, at += 32, to += 32) {
    // The low bits of a number this large are the integer it was rounded to.
    const first = f32x4.add(f32x4.mul(v128.load(at), inverse), rounding);
    let second = none;
    if (length > 1) second = f32x4.add(f32x4.mul(v128.load(at, 16), inverse), rounding);
    const units = v128.or(v128.and(first, low), i32x4.shl(second, 16));
    v128.store(to, units);
    v128.store(to, i16x8.shr_s(i16x8.add(units, half), PARTS_SHIFT), 16);
  }
}

/** The numbers of a block in units, and their parts. @param inverse - address of the inverse units of four outputs */
export function unitsOf(at: usize, length: i32, inverse: usize, bits: i32, to: usize): void {
  unitsBy(at, length, v128.load(inverse), bits == 4 ? 12288 : bits == 2 ? 3072 : 196608, to);
}

/** Negates all numbers. */
export function negate(at: usize, end: usize): void {
  const none = i16x8.splat(0);
  for (; at < end; at += 16) v128.store(at, i16x8.sub(none, v128.load(at)));
}

/** Converts each float to an integer, stored in both 16-bit halves of its lane. */
@inline
export function twice(x: v128): v128 {
  const whole = i32x4.trunc_sat_f32x4_s(x);
  return v128.or(v128.and(whole, i32x4.splat(0xffff)), i32x4.shl(whole, 16));
}

@inline
function sumBy(
  shift: i32, at: usize, end: usize, beyond: i32, beyond2: i32, notes: usize,
): void {
  const low = v128.load(notes);
  const high = v128.load(notes, 16);
  const low2 = v128.load(notes, 32);
  const high2 = v128.load(notes, 48);
  const more = i16x8.splat(<i16>beyond);
  const more2 = i16x8.splat(<i16>beyond2);
  const half = i16x8.splat(<i16>(<i32>1 << (shift - 1)));
  let product = i32x4.splat(0);
  let square = i32x4.splat(0);
  let product2 = i32x4.splat(0);
  let square2 = i32x4.splat(0);
  for (; at < end; at += 32) {
    const x = v128.load(at);
    const part = v128.load(at, 16);
    const begun = i16x8.add(x, half);
    const steps = i16x8.shr_s(i16x8.add(begun, i16x8.mul(part, more)), shift);
    const code = i16x8.max_s(low, i16x8.min_s(high, steps));
    product = i32x4.add(product, i32x4.dot_i16x8_s(x, code));
    square = i32x4.add(square, i32x4.dot_i16x8_s(code, code));
    const steps2 = i16x8.shr_s(i16x8.add(begun, i16x8.mul(part, more2)), shift);
    const code2 = i16x8.max_s(low2, i16x8.min_s(high2, steps2));
    product2 = i32x4.add(product2, i32x4.dot_i16x8_s(x, code2));
    square2 = i32x4.add(square2, i32x4.dot_i16x8_s(code2, code2));
  }
  v128.store(notes, f32x4.convert_i32x4_s(product));
  v128.store(notes, f32x4.convert_i32x4_s(square), 16);
  v128.store(notes, f32x4.convert_i32x4_s(product2), 32);
  v128.store(notes, f32x4.convert_i32x4_s(square2), 48);
}

/**
 * Sums of numbers · codes and codes² for two candidates.
 * @param notes - the lowest and highest code of each, from {@link twice}; then product and square of each, as floats
 */
export function sumWhole(bits: i32, at: usize, end: usize, beyond: i32, beyond2: i32, notes: usize): void {
  if (bits == 4) sumBy(10, at, end, beyond, beyond2, notes);
  else if (bits == 2) sumBy(12, at, end, beyond, beyond2, notes);
  else sumBy(6, at, end, beyond, beyond2, notes);
}
