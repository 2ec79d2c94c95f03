// Search for the scales (and zero points) of blocks, as `Search` in src/kernels/lowbits/block.ts.
import { blockOf, firstOf, loadAll, NOTES, rounded, SCALES, stepsOf, together, within, ZEROS } from './blocks';
import { addLoss, noLoss, placeOf, takeBlock } from './take';
import { negate, sumWhole, twice, unitsOf } from './whole';

const SMALLEST_BASE: f32 = reinterpret<f32>(0x03800000); // 2^-120

/** Number of parts of one step of the base; candidates differ by whole parts. */
const PARTS: f32 = 128;

/** Sums of steps · code and code² for two grids, weighted: product, square, product, square at `notes`. */
function sumWeighted(
  at: usize, end: usize, weights: usize, notes: usize,
  inverse: v128, low: v128, high: v128, inverse2: v128, low2: v128, high2: v128,
): void {
  let product = f32x4.splat(0);
  let square = f32x4.splat(0);
  let product2 = f32x4.splat(0);
  let square2 = f32x4.splat(0);
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

/** Scales and zero points of the block of four outputs at `tile`, in `work`. @param units - memory for whole numbers */
function searchBlock(
  work: usize, tile: usize, length: i32, units: usize, weights: usize, bits: i32, symmetric: bool,
  steps: usize, count: i32, zeros: i32, empty: f32,
): void {
  const end = tile + (<usize>length << 4);
  const most = <f32>((1 << bits) - 1);
  const middle = <f32>(1 << (bits - 1));
  let lowest = f32x4.splat(0);
  let highest = f32x4.splat(0);
  let lowest2 = lowest;
  let highest2 = highest;
  let at = tile;
  for (; at + 32 <= end; at += 32) {
    const x = v128.load(at);
    const x2 = v128.load(at, 16);
    lowest = f32x4.pmin(lowest, x);
    highest = f32x4.pmax(highest, x);
    lowest2 = f32x4.pmin(lowest2, x2);
    highest2 = f32x4.pmax(highest2, x2);
  }
  if (at < end) {
    lowest = f32x4.pmin(lowest, v128.load(at));
    highest = f32x4.pmax(highest, v128.load(at));
  }
  lowest = f32x4.pmin(lowest, lowest2);
  highest = f32x4.pmax(highest, highest2);
  let base = f32x4.splat(0);
  if (symmetric) {
    const largest = v128.bitselect(lowest, highest, f32x4.gt(f32x4.neg(lowest), highest));
    base = f32x4.div(largest, f32x4.splat(middle));
  } else {
    base = f32x4.sub(f32x4.div(highest, f32x4.splat(most)), f32x4.div(lowest, f32x4.splat(most)));
  }
  const tiny = f32x4.lt(f32x4.abs(base), f32x4.splat(SMALLEST_BASE));
  const whole = weights == 0;
  const last = units + (<usize>(length + 1) >> 1 << 5);
  const unit = f32x4.splat(1 / <f32>(1 << (14 - bits)));
  let negative = false;
  if (whole) {
    v128.store(work, f32x4.div(f32x4.splat(1), base));
    unitsOf(tile, length, work, bits, units);
  }
  const all = f32x4.splat(most);
  const each = zeros - 1; // a shift
  const tries = count << each;
  let explained = f32x4.splat(-1);
  let scale = f32x4.splat(0);
  let best = f32x4.splat(middle);
  let zero = best;
  let zero2 = best;
  let low = f32x4.neg(zero);
  let high = f32x4.sub(all, zero);
  let low2 = low;
  let high2 = high;
  if (whole) {
    low = low2 = twice(low);
    high = high2 = twice(high);
  }
  for (let index = 0; index < tries; index += 2) {
    const parts = load<i32>(steps + (<usize>(index >> each) << 2));
    const parts2 = load<i32>(steps + (<usize>((index + 1) >> each) << 2));
    const first = <f32>parts / PARTS;
    const second = <f32>parts2 / PARTS;
    let inverse = base;
    let inverse2 = base;
    if (!(whole && symmetric)) {
      inverse = f32x4.div(f32x4.splat(first), base);
      inverse2 = f32x4.div(f32x4.splat(second), base);
    }
    if (!symmetric) {
      zero = zeroOf(lowest, inverse, first, most, false);
      zero2 = zeroOf(lowest, inverse2, second, most, zeros == 2);
      low = f32x4.neg(zero);
      high = f32x4.sub(all, zero);
      low2 = f32x4.neg(zero2);
      high2 = f32x4.sub(all, zero2);
      if (whole) {
        low = twice(low);
        high = twice(high);
        low2 = twice(low2);
        high2 = twice(high2);
      }
    }
    if (whole) {
      if (parts < 0 != negative) {
        negate(units, last);
        base = f32x4.neg(base);
        negative = !negative;
      }
      v128.store(work, low);
      v128.store(work, high, 16);
      v128.store(work, low2, 32);
      v128.store(work, high2, 48);
      sumWhole(bits, units, last, abs(parts) - <i32>PARTS, abs(parts2) - <i32>PARTS, work);
    } else {
      sumWeighted(tile, end, weights, work, inverse, low, high, inverse2, low2, high2);
    }
    const product = v128.load(work);
    const product2 = v128.load(work, 32);
    const ratio = f32x4.div(product, v128.load(work, 16));
    const ratio2 = f32x4.div(product2, v128.load(work, 48));
    let reached = f32x4.mul(product, ratio);
    let reached2 = f32x4.mul(product2, ratio2);
    let fitted: v128, fitted2: v128;
    if (whole) {
      fitted = f32x4.mul(base, f32x4.mul(ratio, unit));
      fitted2 = f32x4.mul(base, f32x4.mul(ratio2, unit));
    } else {
      reached = f32x4.div(reached, f32x4.splat(first * first));
      reached2 = f32x4.div(reached2, f32x4.splat(second * second));
      fitted = f32x4.div(ratio, inverse);
      fitted2 = f32x4.div(ratio2, inverse2);
    }
    const better = f32x4.gt(reached, explained);
    explained = v128.bitselect(reached, explained, better);
    scale = v128.bitselect(fitted, scale, better);
    const better2 = f32x4.gt(reached2, explained);
    explained = v128.bitselect(reached2, explained, better2);
    scale = v128.bitselect(fitted2, scale, better2);
    if (!symmetric) best = v128.bitselect(zero2, v128.bitselect(zero, best, better), better2);
  }
  v128.store(work, v128.bitselect(f32x4.splat(empty), scale, tiny), SCALES);
  v128.store(work, v128.bitselect(f32x4.splat(middle), best, tiny), ZEROS);
}

/** The nearest float16 values of the same sign that are neither 0 nor infinite. */
@inline
function halved(x: v128): v128 {
  const sign = v128.and(x, i32x4.splat(0x80000000));
  const size = v128.andnot(x, i32x4.splat(0x80000000));
  const even = v128.and(i32x4.shr_u(size, 13), i32x4.splat(1));
  const bits = i32x4.add(i32x4.add(size, i32x4.splat(0xfff)), even);
  const normal = v128.andnot(bits, i32x4.splat(0x1fff));
  // Below 2^-14, float16 values are multiples of 2^-24, the spacing of float32 from one half to 1.
  const half = f32x4.splat(0.5);
  const small = f32x4.sub(f32x4.add(size, half), half);
  const near = v128.bitselect(small, normal, f32x4.lt(size, f32x4.splat(reinterpret<f32>(0x38800000))));
  const within = f32x4.pmin(f32x4.splat(65504), f32x4.pmax(f32x4.splat(reinterpret<f32>(0x33800000)), near));
  return v128.or(within, sign);
}

export function searchBlocks(
  data: usize, outputs: i32, inputs: i32, along: i32, across: i32, block: i32,
  bits: i32, symmetric: bool, steps: usize, count: i32, zeros: i32, empty: f32,
  weights: usize, work: usize, stride: i32, scale: usize, zero: usize,
  half: bool, out: usize, outAlong: i32, outAcross: i32, packed: bool,
): void {
  const blocks = (inputs + block - 1) / block;
  const size = <usize>block << 4;
  const units = work + NOTES + (<usize>block << 6);
  noLoss();
  const last = stepsOf(outputs, along, blocks);
  for (let step = 0; step < last; step++) {
    const index = blockOf(step, outputs, along, blocks);
    const first = firstOf(step, outputs, along, blocks);
    const start = index * block;
    const length = min(block, inputs - start);
    const own: usize = weights == 0 ? 0 : weights + (<usize>start << 2);
    let tile = work + NOTES;
    loadAll(data + ((<usize>start * <usize>across) << 2), outputs, first, along, across, length, tile, size);
    const end = min(outputs, first + together(along));
    for (let four = first; four < end; four += 4, tile += size) {
      searchBlock(work, tile, length, units, own, bits, symmetric, steps, count, zeros, empty);
      if (half) v128.store(work, halved(v128.load(work, SCALES)), SCALES);
      const lanes = min(4, outputs - four);
      for (let lane = 0; lane < lanes; lane++) {
        const to = <usize>(four + lane) * <usize>stride + <usize>index;
        store<f32>(scale + (to << 2), load<f32>(work + (<usize>lane << 2), SCALES));
        if (zero != 0) store<u8>(zero + to, <u8>load<f32>(work + (<usize>lane << 2), ZEROS));
      }
      if (out == 0) continue;
      const to = out + placeOf(four, start, bits, outAlong, outAcross, packed);
      takeBlock(work, tile, length, block, bits, lanes, to, outAlong, outAcross, packed);
      addLoss(work);
    }
  }
}
