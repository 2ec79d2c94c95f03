// Scales (and zero points) of blocks by search, as `Search` of src/kernels/lowbits/block.ts has it.
import { load4, NOTES, rounded, within } from './blocks';

const SMALLEST_BASE: f32 = reinterpret<f32>(0x03800000); // 2^-120

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
