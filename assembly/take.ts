// Nearest codes of one block for its scales, and their loss.
import { RESULT } from './area';
import { NOISE, SCALES, SIGNAL, within, ZEROS } from './blocks';

const ROUNDER: f32 = 12582912;

@inline
function total(x: v128): f64 {
  const front = <f64>f32x4.extract_lane(x, 0) + <f64>f32x4.extract_lane(x, 1);
  return front + <f64>f32x4.extract_lane(x, 2) + <f64>f32x4.extract_lane(x, 3);
}

/** The address of the codes of an output, starting at an input. Packed codes share bytes. */
@inline
export function placeOf(output: i32, input: i32, bits: i32, along: usize, across: usize, packed: bool): usize {
  const line = packed ? <usize>input * <usize>bits >> 3 : <usize>input;
  return <usize>output * along + line * across;
}

/** Transposes one-byte codes of four inputs and four outputs, so that the codes of each output are adjacent. */
@inline
function byOutput(q: v128): v128 {
  return v128.shuffle<i8>(q, q, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/** The same codes in 4 bits: in the first and third 32 bits. */
@inline
function pairs(q: v128): v128 {
  return v128.or(q, i64x2.shr_u(q, 28));
}

/** In 2 bits: in the first 32 bits. */
@inline
function fours(q: v128): v128 {
  const two = v128.or(q, i64x2.shr_u(q, 30));
  return v128.or(two, i32x4.shl(v128.shuffle<i64>(two, two, 1, 0), 4));
}

/** Stores packed codes of four inputs for up to four outputs. */
@inline
function storePacked(q: v128, bits: i32, count: i32, work: usize, to: usize, along: usize, across: usize): void {
  if (across == 1) {
    const codes = byOutput(q);
    if (bits == 4) {
      const even = v128.and(v128.or(codes, i16x8.shr_u(codes, 4)), i16x8.splat(0x00ff));
      const bytes = i8x16.narrow_i16x8_u(even, even);
      v128.store16_lane(to, bytes, 0);
      if (count > 1) v128.store16_lane(to + along, bytes, 1);
      if (count > 2) v128.store16_lane(to + 2 * along, bytes, 2);
      if (count > 3) v128.store16_lane(to + 3 * along, bytes, 3);
    } else {
      const two = v128.and(v128.or(codes, i16x8.shr_u(codes, 6)), i16x8.splat(15));
      const bytes = v128.or(two, i32x4.shr_u(two, 12));
      v128.store8_lane(to, bytes, 0);
      if (count > 1) v128.store8_lane(to + along, bytes, 4);
      if (count > 2) v128.store8_lane(to + 2 * along, bytes, 8);
      if (count > 3) v128.store8_lane(to + 3 * along, bytes, 12);
    }
    return;
  }
  const codes = bits == 4 ? pairs(q) : fours(q);
  if (along == 1 && count == 4) {
    v128.store32_lane(to, codes, 0);
    if (bits == 4) v128.store32_lane(to + across, codes, 2);
    return;
  }
  v128.store(work, codes);
  for (let lane: usize = 0; lane < <usize>count; lane++) {
    store<u8>(to + lane * along, load<u8>(work + lane));
    if (bits == 4) store<u8>(to + lane * along + across, load<u8>(work + lane, 8));
  }
}

/**
 * Computes the codes of the block of four outputs at `tile`. Its scales and zero points are in `work`, which then also
 * holds the loss.
 * @param count - number of outputs that exist; the others repeat the last one
 * @param packed - as many codes per byte as fit; after the last input, codes of 0 fill the block
 */
export function takeBlock(
  work: usize, tile: usize, length: i32, block: i32, bits: i32, count: i32,
  out: usize, along: usize, across: usize, packed: bool,
): void {
  const together = packed ? 8 / bits : 1;
  if (packed && length < block) {
    memory.fill(tile + (<usize>length << 4), 0, <usize>(block - length) << 4);
    length = block;
  }
  const s = v128.load(work, SCALES);
  const z = v128.load(work, ZEROS);
  const low = f32x4.neg(z);
  const high = f32x4.sub(f32x4.splat(<f32>((1 << bits) - 1)), z);
  const rounder = f32x4.splat(ROUNDER);
  // The low bits of a number this large are the integer it was rounded to.
  const zero = i32x4.sub(f32x4.add(z, rounder), i32x4.shl(rounder, 1));
  // Lanes beyond the last output repeat it, and are not counted.
  const counted = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
  let ours = f32x4.splat(0);
  let gone = f32x4.splat(0);
  const beside = along == 1 && count == 4;
  let to = out;
  let at = tile;
  const end = tile + (<usize>length << 4);
  const ahead = <usize>(4 / together) * across;
  for (; at + 64 <= end; at += 64, to += ahead) {
    const x0 = v128.load(at);
    const x1 = v128.load(at, 16);
    const x2 = v128.load(at, 32);
    const x3 = v128.load(at, 48);
    const t0 = f32x4.add(f32x4.pmin(high, f32x4.pmax(low, f32x4.div(x0, s))), rounder);
    const t1 = f32x4.add(f32x4.pmin(high, f32x4.pmax(low, f32x4.div(x1, s))), rounder);
    const t2 = f32x4.add(f32x4.pmin(high, f32x4.pmax(low, f32x4.div(x2, s))), rounder);
    const t3 = f32x4.add(f32x4.pmin(high, f32x4.pmax(low, f32x4.div(x3, s))), rounder);
    const e0 = f32x4.sub(x0, f32x4.mul(f32x4.sub(t0, rounder), s));
    const e1 = f32x4.sub(x1, f32x4.mul(f32x4.sub(t1, rounder), s));
    const e2 = f32x4.sub(x2, f32x4.mul(f32x4.sub(t2, rounder), s));
    const e3 = f32x4.sub(x3, f32x4.mul(f32x4.sub(t3, rounder), s));
    ours = f32x4.add(ours, f32x4.add(f32x4.mul(x0, x0), f32x4.mul(x1, x1)));
    ours = f32x4.add(ours, f32x4.add(f32x4.mul(x2, x2), f32x4.mul(x3, x3)));
    gone = f32x4.add(gone, f32x4.add(f32x4.mul(e0, e0), f32x4.mul(e1, e1)));
    gone = f32x4.add(gone, f32x4.add(f32x4.mul(e2, e2), f32x4.mul(e3, e3)));
    const q = i8x16.narrow_i16x8_u(
      i16x8.narrow_i32x4_s(i32x4.add(t0, zero), i32x4.add(t1, zero)),
      i16x8.narrow_i32x4_s(i32x4.add(t2, zero), i32x4.add(t3, zero)),
    );
    if (together > 1) {
      storePacked(q, bits, count, work, to, along, across);
    } else if (beside) {
      v128.store32_lane(to, q, 0);
      v128.store32_lane(to + across, q, 1);
      v128.store32_lane(to + 2 * across, q, 2);
      v128.store32_lane(to + 3 * across, q, 3);
    } else if (across == 1) {
      const codes = byOutput(q);
      v128.store32_lane(to, codes, 0);
      if (count > 1) v128.store32_lane(to + along, codes, 1);
      if (count > 2) v128.store32_lane(to + 2 * along, codes, 2);
      if (count > 3) v128.store32_lane(to + 3 * along, codes, 3);
    } else {
      v128.store(work, q);
      for (let k = 0; k < 4; k++) {
        for (let lane = 0; lane < count; lane++) {
          store<u8>(to + <usize>lane * along + <usize>k * across, load<u8>(work + <usize>(4 * k + lane)));
        }
      }
    }
  }
  for (; at < end; to += across) {
    let bytes = i32x4.splat(0);
    for (let place = 0; place < together; place++, at += 16) {
      const x = v128.load(at);
      const code = within(f32x4.div(x, s), low, high);
      const lost = f32x4.sub(x, f32x4.mul(code, s));
      ours = f32x4.add(ours, f32x4.mul(x, x));
      gone = f32x4.add(gone, f32x4.mul(lost, lost));
      bytes = v128.or(bytes, i32x4.shl(i32x4.trunc_sat_f32x4_s(f32x4.add(code, z)), place * bits));
    }
    v128.store(work, bytes);
    for (let lane = 0; lane < count; lane++) {
      store<u8>(to + <usize>lane * along, load<u8>(work + (<usize>lane << 2)));
    }
  }
  v128.store(work, v128.and(ours, counted), SIGNAL);
  v128.store(work, v128.and(gone, counted), NOISE);
}

/** Adds the loss of the last block to the total at {@link RESULT}. */
export function addLoss(work: usize): void {
  store<f64>(RESULT, load<f64>(RESULT) + total(v128.load(work, SIGNAL)));
  store<f64>(RESULT, load<f64>(RESULT, 8) + total(v128.load(work, NOISE)), 8);
}

export function noLoss(): void {
  store<f64>(RESULT, 0);
  store<f64>(RESULT, 0, 8);
}
