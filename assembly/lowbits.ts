// Codes of few bits: scales (and zero points) of blocks by search, as src/kernels/lowbits/block.ts has it, bit by bit.
// Four outputs are computed side by side, each in a lane that adds up in the order of the reference. Their block is
// copied to `work` first, as [inputs of the block, 4].
import { RESULT } from './area';

const ROUNDER: f32 = 12582912;
const SMALLEST_BASE: f32 = reinterpret<f32>(0x03800000); // 2^-120
/** Bytes at the beginning of `work`: two pairs of sums, and what one call notes of four lanes. */
const NOTES: usize = 128;

@inline
function rounded(x: v128): v128 {
  return f32x4.sub(f32x4.add(x, f32x4.splat(ROUNDER)), f32x4.splat(ROUNDER));
}

@inline
function within(steps: v128, low: v128, high: v128): v128 {
  return rounded(f32x4.pmin(high, f32x4.pmax(low, steps)));
}

/** The block of four outputs, from `first` on; beyond the last output it is repeated. */
function load4(
  data: usize, outputs: i32, first: i32, along: i32, across: i32, length: i32, to: usize,
): void {
  const end = to + (<usize>length << 4);
  const step = <usize>across << 2;
  if (along == 1 && first + 4 <= outputs) {
    for (let at = data + (<usize>first << 2); to < end; at += step, to += 16) v128.store(to, v128.load(at));
    return;
  }
  const last = outputs - 1;
  const line = <usize>along << 2;
  let a = data + <usize>first * line;
  let b = data + <usize>min(first + 1, last) * line;
  let c = data + <usize>min(first + 2, last) * line;
  let d = data + <usize>min(first + 3, last) * line;
  if (across == 1) {
    for (; to + 64 <= end; to += 64, a += 16, b += 16, c += 16, d += 16) {
      const p = v128.load(a);
      const q = v128.load(b);
      const r = v128.load(c);
      const s = v128.load(d);
      const pq = v128.shuffle<i32>(p, q, 0, 4, 1, 5);
      const rs = v128.shuffle<i32>(r, s, 0, 4, 1, 5);
      const pq2 = v128.shuffle<i32>(p, q, 2, 6, 3, 7);
      const rs2 = v128.shuffle<i32>(r, s, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<i64>(pq, rs, 0, 2));
      v128.store(to, v128.shuffle<i64>(pq, rs, 1, 3), 16);
      v128.store(to, v128.shuffle<i64>(pq2, rs2, 0, 2), 32);
      v128.store(to, v128.shuffle<i64>(pq2, rs2, 1, 3), 48);
    }
  }
  for (; to < end; to += 16, a += step, b += step, c += step, d += step) {
    store<f32>(to, load<f32>(a));
    store<f32>(to, load<f32>(b), 4);
    store<f32>(to, load<f32>(c), 8);
    store<f32>(to, load<f32>(d), 12);
  }
}

/** Sums of steps · code and code² for two grids: product, square, product, square at `notes`. */
function sumTwo(
  at: usize, end: usize, weights: usize, notes: usize,
  inverse: v128, low: v128, high: v128, inverse2: v128, low2: v128, high2: v128,
): void {
  let product = f32x4.splat(0);
  let square = f32x4.splat(0);
  let product2 = f32x4.splat(0);
  let square2 = f32x4.splat(0);
  if (weights == 0) {
    for (; at < end; at += 16) {
      const x = v128.load(at);
      const steps = f32x4.mul(x, inverse);
      const code = within(steps, low, high);
      product = f32x4.add(product, f32x4.mul(steps, code));
      square = f32x4.add(square, f32x4.mul(code, code));
      const steps2 = f32x4.mul(x, inverse2);
      const code2 = within(steps2, low2, high2);
      product2 = f32x4.add(product2, f32x4.mul(steps2, code2));
      square2 = f32x4.add(square2, f32x4.mul(code2, code2));
    }
  } else {
    for (; at < end; at += 16, weights += 4) {
      const x = v128.load(at);
      const weight = v128.load32_splat(weights);
      const steps = f32x4.mul(x, inverse);
      const code = within(steps, low, high);
      const weighted = f32x4.mul(weight, code);
      product = f32x4.add(product, f32x4.mul(steps, weighted));
      square = f32x4.add(square, f32x4.mul(code, weighted));
      const steps2 = f32x4.mul(x, inverse2);
      const code2 = within(steps2, low2, high2);
      const weighted2 = f32x4.mul(weight, code2);
      product2 = f32x4.add(product2, f32x4.mul(steps2, weighted2));
      square2 = f32x4.add(square2, f32x4.mul(code2, weighted2));
    }
  }
  v128.store(notes, product);
  v128.store(notes, square, 16);
  v128.store(notes, product2, 32);
  v128.store(notes, square2, 48);
}

/** The zero points of a candidate. */
@inline
function zeroOf(min: v128, inverse: v128, steps: f32, most: f32, other: bool): v128 {
  const none = f32x4.splat(0);
  const all = f32x4.splat(most);
  const beyond = f32x4.splat((steps - 1) * most / 2);
  const center = f32x4.sub(f32x4.mul(f32x4.neg(min), inverse), beyond);
  const clamped = f32x4.pmin(all, f32x4.pmax(none, center));
  const nearest = rounded(clamped);
  if (!other) return nearest;
  const one = f32x4.splat(1);
  const moved = v128.bitselect(f32x4.sub(nearest, one), f32x4.add(nearest, one), f32x4.gt(nearest, clamped));
  return f32x4.pmin(all, f32x4.pmax(none, moved));
}

// The best candidate so far, at `work` + 64: what it explains, its scale and its zero point.

@inline
function keep(work: usize, sums: usize, inverse: v128, steps: f32, zero: v128): void {
  const product = v128.load(sums);
  const square = v128.load(sums, 16);
  const ratio = f32x4.div(product, square);
  const explained = f32x4.div(f32x4.mul(product, ratio), f32x4.splat(steps * steps));
  const better = f32x4.gt(explained, v128.load(work, 64));
  v128.store(work, v128.bitselect(explained, v128.load(work, 64), better), 64);
  v128.store(work, v128.bitselect(f32x4.div(ratio, inverse), v128.load(work, 80), better), 80);
  v128.store(work, v128.bitselect(zero, v128.load(work, 96), better), 96);
}

/** Scales and zero points of the block in `work`, at `work` + 80 and + 96. */
function searchBlock(
  work: usize, length: i32, weights: usize, bits: i32, symmetric: bool,
  steps: usize, count: i32, zeros: i32, empty: f32,
): void {
  const data = work + NOTES;
  const end = data + (<usize>length << 4);
  const most = <f32>((1 << bits) - 1);
  const middle = <f32>(1 << (bits - 1));
  let base = f32x4.splat(0);
  let lowest = f32x4.splat(0);
  let highest = f32x4.splat(0);
  if (symmetric) {
    let largest = f32x4.splat(0);
    for (let at = data; at < end; at += 16) {
      const x = v128.load(at);
      const size = f32x4.abs(x);
      const larger = f32x4.gt(size, highest);
      highest = v128.bitselect(size, highest, larger);
      largest = v128.bitselect(x, largest, larger);
    }
    base = f32x4.div(largest, f32x4.splat(middle));
  } else {
    for (let at = data; at < end; at += 16) {
      const x = v128.load(at);
      lowest = f32x4.pmin(lowest, x);
      highest = f32x4.pmax(highest, x);
    }
    base = f32x4.sub(f32x4.div(highest, f32x4.splat(most)), f32x4.div(lowest, f32x4.splat(most)));
  }
  const tiny = f32x4.lt(f32x4.abs(base), f32x4.splat(SMALLEST_BASE));
  v128.store(work, f32x4.splat(-1), 64);
  v128.store(work, f32x4.splat(1), 80);
  v128.store(work, f32x4.splat(middle), 96);
  const all = f32x4.splat(most);
  const tries = count * zeros;
  for (let index = 0; index < tries; index += 2) {
    const first = load<f32>(steps + (<usize>(index / zeros) << 2));
    const second = load<f32>(steps + (<usize>((index + 1) / zeros) << 2));
    const inverse = f32x4.div(f32x4.splat(first), base);
    const inverse2 = f32x4.div(f32x4.splat(second), base);
    let zero = f32x4.splat(middle);
    let zero2 = zero;
    if (!symmetric) {
      zero = zeroOf(lowest, inverse, first, most, false);
      zero2 = zeroOf(lowest, inverse2, second, most, zeros == 2);
    }
    sumTwo(
      data, end, weights, work,
      inverse, f32x4.neg(zero), f32x4.sub(all, zero),
      inverse2, f32x4.neg(zero2), f32x4.sub(all, zero2),
    );
    keep(work, work, inverse, first, zero);
    keep(work, work + 32, inverse2, second, zero2);
  }
  const scale = v128.load(work, 80);
  const zero = v128.load(work, 96);
  v128.store(work, v128.bitselect(f32x4.splat(empty), scale, tiny), 80);
  v128.store(work, v128.bitselect(f32x4.splat(middle), zero, tiny), 96);
}

/** The same as `sumTwo` for one grid. */
function sumOne(at: usize, end: usize, weights: usize, notes: usize, inverse: v128, low: v128, high: v128): void {
  let product = f32x4.splat(0);
  let square = f32x4.splat(0);
  for (; at < end; at += 16) {
    const steps = f32x4.mul(v128.load(at), inverse);
    const code = within(steps, low, high);
    let weighted = code;
    if (weights != 0) {
      weighted = f32x4.mul(v128.load32_splat(weights), code);
      weights += 4;
    }
    product = f32x4.add(product, f32x4.mul(steps, weighted));
    square = f32x4.add(square, f32x4.mul(code, weighted));
  }
  v128.store(notes, product);
  v128.store(notes, square, 16);
}

export function searchBlocks(
  data: usize, outputs: i32, inputs: i32, along: i32, across: i32, block: i32,
  bits: i32, symmetric: bool, steps: usize, count: i32, zeros: i32, empty: f32,
  weights: usize, work: usize, scale: usize, zero: usize,
): void {
  const blocks = (inputs + block - 1) / block;
  // Where outputs lie side by side a line of the cache has those of the next four.
  const byBlock = along == 1;
  const groups = (outputs + 3) >> 2;
  const tasks = groups * blocks;
  for (let task = 0; task < tasks; task++) {
    const index = byBlock ? task / groups : task % blocks;
    const first = (byBlock ? task % groups : task / blocks) << 2;
    const start = index * block;
    const length = min(block, inputs - start);
    load4(data + ((<usize>start * <usize>across) << 2), outputs, first, along, across, length, work + NOTES);
    const at: usize = weights == 0 ? 0 : weights + (<usize>start << 2);
    searchBlock(work, length, at, bits, symmetric, steps, count, zeros, empty);
    const lanes = min(4, outputs - first);
    for (let lane = 0; lane < lanes; lane++) {
      const to = <usize>(first + lane) * <usize>blocks + <usize>index;
      store<f32>(scale + (to << 2), load<f32>(work + (<usize>lane << 2), 80));
      if (zero != 0) store<u8>(zero + to, <u8>load<f32>(work + (<usize>lane << 2), 96));
    }
  }
}

@inline
function total(x: v128): f64 {
  const front = <f64>f32x4.extract_lane(x, 0) + <f64>f32x4.extract_lane(x, 1);
  return front + <f64>f32x4.extract_lane(x, 2) + <f64>f32x4.extract_lane(x, 3);
}

/** Loads a number for each of four lanes; beyond the last output 1. */
function lanes4(from: usize, outputs: i32, first: i32, blocks: i32, index: i32, notes: usize): v128 {
  v128.store(notes, f32x4.splat(1));
  const lanes = min(4, outputs - first);
  for (let lane = 0; lane < lanes; lane++) {
    const at = <usize>(first + lane) * <usize>blocks + <usize>index;
    store<f32>(notes + (<usize>lane << 2), load<f32>(from + (at << 2)));
  }
  return v128.load(notes);
}

export function takeCodes(
  data: usize, outputs: i32, inputs: i32, along: i32, across: i32, block: i32, bits: i32,
  scale: usize, zero: usize, work: usize, out: usize, outAlong: i32, outAcross: i32,
): void {
  const blocks = (inputs + block - 1) / block;
  const byBlock = along == 1;
  const groups = (outputs + 3) >> 2;
  const tasks = groups * blocks;
  const most = f32x4.splat(<f32>((1 << bits) - 1));
  let signal: f64 = 0;
  let noise: f64 = 0;
  for (let task = 0; task < tasks; task++) {
    const index = byBlock ? task / groups : task % blocks;
    const first = (byBlock ? task % groups : task / blocks) << 2;
    const start = index * block;
    const length = min(block, inputs - start);
    const tile = work + NOTES;
    load4(data + ((<usize>start * <usize>across) << 2), outputs, first, along, across, length, tile);
    const s = lanes4(scale, outputs, first, blocks, index, work);
    const count = min(4, outputs - first);
    let z = f32x4.splat(<f32>(1 << (bits - 1)));
    if (zero != 0) {
      for (let lane = 0; lane < count; lane++) {
        const at = <usize>(first + lane) * <usize>blocks + <usize>index;
        store<f32>(work + (<usize>lane << 2), <f32>load<u8>(zero + at));
      }
      z = v128.load(work);
    }
    const low = f32x4.neg(z);
    const high = f32x4.sub(most, z);
    // Lanes beyond the last output repeat it, and count for nothing.
    const counted = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
    let ours = f32x4.splat(0);
    let gone = f32x4.splat(0);
    const line = <usize>outAlong;
    const step = <usize>outAcross;
    const beside = outAlong == 1 && count == 4;
    let to = out + <usize>first * line + <usize>start * step;
    let at = tile;
    const end = tile + (<usize>length << 4);
    for (; at < end; at += 64, to += 4 * step) {
      let q: v128 = i32x4.splat(0);
      const left = <i32>((end - at) >> 4);
      const wide = left < 4 ? left : 4;
      if (wide == 4) {
        const x0 = v128.load(at);
        const x1 = v128.load(at, 16);
        const x2 = v128.load(at, 32);
        const x3 = v128.load(at, 48);
        const q0 = within(f32x4.div(x0, s), low, high);
        const q1 = within(f32x4.div(x1, s), low, high);
        const q2 = within(f32x4.div(x2, s), low, high);
        const q3 = within(f32x4.div(x3, s), low, high);
        const e0 = f32x4.sub(x0, f32x4.mul(q0, s));
        const e1 = f32x4.sub(x1, f32x4.mul(q1, s));
        const e2 = f32x4.sub(x2, f32x4.mul(q2, s));
        const e3 = f32x4.sub(x3, f32x4.mul(q3, s));
        ours = f32x4.add(ours, f32x4.add(f32x4.mul(x0, x0), f32x4.mul(x1, x1)));
        ours = f32x4.add(ours, f32x4.add(f32x4.mul(x2, x2), f32x4.mul(x3, x3)));
        gone = f32x4.add(gone, f32x4.add(f32x4.mul(e0, e0), f32x4.mul(e1, e1)));
        gone = f32x4.add(gone, f32x4.add(f32x4.mul(e2, e2), f32x4.mul(e3, e3)));
        q = i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(f32x4.add(q0, z)), i32x4.trunc_sat_f32x4_s(f32x4.add(q1, z))),
          i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(f32x4.add(q2, z)), i32x4.trunc_sat_f32x4_s(f32x4.add(q3, z))),
        );
        if (beside) {
          v128.store32_lane(to, q, 0);
          v128.store32_lane(to + step, q, 1);
          v128.store32_lane(to + 2 * step, q, 2);
          v128.store32_lane(to + 3 * step, q, 3);
        } else if (outAcross == 1) {
          q = v128.shuffle<i8>(q, q, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
          v128.store32_lane(to, q, 0);
          if (count > 1) v128.store32_lane(to + line, q, 1);
          if (count > 2) v128.store32_lane(to + 2 * line, q, 2);
          if (count > 3) v128.store32_lane(to + 3 * line, q, 3);
        } else {
          v128.store(work, q);
          for (let k = 0; k < 4; k++) {
            for (let lane = 0; lane < count; lane++) {
              store<u8>(to + <usize>lane * line + <usize>k * step, load<u8>(work + <usize>(4 * k + lane)));
            }
          }
        }
      } else {
        for (let k = 0; k < wide; k++) {
          const x = v128.load(at + (<usize>k << 4));
          const code = within(f32x4.div(x, s), low, high);
          const lost = f32x4.sub(x, f32x4.mul(code, s));
          ours = f32x4.add(ours, f32x4.mul(x, x));
          gone = f32x4.add(gone, f32x4.mul(lost, lost));
          v128.store(work, i32x4.trunc_sat_f32x4_s(f32x4.add(code, z)));
          for (let lane = 0; lane < count; lane++) {
            store<u8>(to + <usize>lane * line + <usize>k * step, load<u8>(work + (<usize>lane << 2)));
          }
        }
      }
    }
    signal += total(v128.and(ours, counted));
    noise += total(v128.and(gone, counted));
  }
  store<f64>(RESULT, signal);
  store<f64>(RESULT, noise, 8);
}

/** What four rows lose by two steps, in squares of their largest scales: at `notes` and + 16. */
function stepErrors(
  known: usize, end: usize, notes: usize, most: v128, fraction: f32, fraction2: f32,
): void {
  const one = f32x4.splat(1);
  const inverse = f32x4.div(most, f32x4.splat(fraction));
  const inverse2 = f32x4.div(most, f32x4.splat(fraction2));
  const step = f32x4.div(f32x4.splat(fraction), most);
  const step2 = f32x4.div(f32x4.splat(fraction2), most);
  let error = f32x4.splat(0);
  let error2 = error;
  for (; known < end; known += 32) {
    const size = v128.load(known);
    const square = v128.load(known, 16);
    const apart = f32x4.sub(f32x4.mul(within(f32x4.mul(size, inverse), one, most), step), size);
    const apart2 = f32x4.sub(f32x4.mul(within(f32x4.mul(size, inverse2), one, most), step2), size);
    error = f32x4.add(error, f32x4.mul(square, f32x4.mul(apart, apart)));
    error2 = f32x4.add(error2, f32x4.mul(square, f32x4.mul(apart2, apart2)));
  }
  v128.store(notes, error);
  v128.store(notes, error2, 16);
}

export function chooseFactors(
  data: usize, outputs: i32, inputs: i32, along: i32, across: i32, block: i32, bits: i32,
  scale: usize, fractions: usize, count: i32, weights: usize, work: usize,
  step: usize, factor: usize, known: usize,
): void {
  const blocks = (inputs + block - 1) / block;
  const middle: i32 = 1 << (bits - 1);
  const low = f32x4.splat(<f32>-middle);
  const high = f32x4.splat(<f32>(middle - 1));
  const one = f32x4.splat(1);
  const none = f32x4.splat(0);
  const most = f32x4.splat(<f32>(<i32>127 / middle));
  const tile = work + NOTES;
  const size = <usize>block << 4;
  for (let first = 0; first < outputs; first += 4) {
    const lanes = min(4, outputs - first);
    let widest = none;
    for (let index = 0; index < blocks; index++) {
      widest = f32x4.pmax(widest, f32x4.abs(lanes4(scale, outputs, first, blocks, index, work)));
    }
    const empty = f32x4.eq(widest, none);
    const largest = v128.bitselect(one, widest, empty);
    for (let index = 0; index < blocks; index++) {
      const start = index * block;
      const length = min(block, inputs - start);
      const from = tile + <usize>index * size;
      load4(data + ((<usize>start * <usize>across) << 2), outputs, first, along, across, length, from);
      const own = lanes4(scale, outputs, first, blocks, index, work);
      const at: usize = weights == 0 ? 0 : weights + (<usize>start << 2);
      sumOne(from, from + (<usize>length << 4), at, work, f32x4.div(one, own), low, high);
      const to = known + (<usize>index << 5);
      v128.store(to, f32x4.div(f32x4.abs(own), largest));
      v128.store(to, v128.andnot(v128.load(work, 16), f32x4.eq(own, none)), 16);
    }
    let least = f32x4.splat(Infinity);
    let best = one;
    for (let round = 0; round < count; round += 2) {
      const fraction = load<f32>(fractions + (<usize>round << 2));
      const fraction2 = load<f32>(fractions + (<usize>round << 2), 4);
      stepErrors(known, known + (<usize>blocks << 5), work, most, fraction, fraction2);
      const error = v128.load(work);
      const error2 = v128.load(work, 16);
      const better = f32x4.lt(error, least);
      least = v128.bitselect(error, least, better);
      best = v128.bitselect(f32x4.splat(fraction), best, better);
      const better2 = f32x4.lt(error2, least);
      least = v128.bitselect(error2, least, better2);
      best = v128.bitselect(f32x4.splat(fraction2), best, better2);
    }
    const inverse = f32x4.div(most, best);
    best = f32x4.mul(widest, f32x4.div(best, most));
    // The step that fits the codes it gives.
    let productFront = f64x2.splat(0);
    let productBack = productFront;
    let squareFront = productFront;
    let squareBack = productFront;
    for (let index = 0; index < blocks; index++) {
      const start = index * block;
      const length = min(block, inputs - start);
      const own = lanes4(scale, outputs, first, blocks, index, work);
      const magnitude = within(f32x4.mul(v128.load(known + (<usize>index << 5)), inverse), one, most);
      const m = v128.bitselect(f32x4.neg(magnitude), magnitude, f32x4.lt(own, none));
      v128.store(work, i32x4.trunc_sat_f32x4_s(m));
      for (let lane = 0; lane < lanes; lane++) {
        const to = factor + <usize>(first + lane) * <usize>blocks + <usize>index;
        store<i8>(to, <i8>load<i32>(work + (<usize>lane << 2)));
      }
      const from = tile + <usize>index * size;
      const at: usize = weights == 0 ? 0 : weights + (<usize>start << 2);
      sumOne(from, from + (<usize>length << 4), at, work, f32x4.div(one, f32x4.mul(m, best)), low, high);
      const area = f32x4.mul(m, m);
      const product = f32x4.mul(area, v128.load(work));
      const square = f32x4.mul(area, v128.load(work, 16));
      productFront = f64x2.add(productFront, f64x2.promote_low_f32x4(product));
      productBack = f64x2.add(productBack, f64x2.promote_low_f32x4(v128.shuffle<i64>(product, product, 1, 0)));
      squareFront = f64x2.add(squareFront, f64x2.promote_low_f32x4(square));
      squareBack = f64x2.add(squareBack, f64x2.promote_low_f32x4(v128.shuffle<i64>(square, square, 1, 0)));
    }
    const ratioFront = f32x4.demote_f64x2_zero(f64x2.div(productFront, squareFront));
    const ratioBack = f32x4.demote_f64x2_zero(f64x2.div(productBack, squareBack));
    const ratio = v128.shuffle<i64>(ratioFront, ratioBack, 0, 2);
    v128.store(work, v128.bitselect(one, f32x4.mul(best, ratio), empty));
    for (let lane = 0; lane < lanes; lane++) {
      store<f32>(step + (<usize>(first + lane) << 2), load<f32>(work + (<usize>lane << 2)));
    }
  }
}
