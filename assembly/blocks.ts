// Code shared by the low-bit kernels. Four outputs are computed side by side, one per lane; each lane adds in the order
// of the reference in src/kernels/lowbits, so results are equal bit for bit. Their block is first copied to `work`, as
// [inputs of the block, 4].
import { transpose4 } from './transpose';

const ROUNDER: f32 = 12582912;
/** Bytes at the beginning of `work`: two pairs of sums, and notes about four outputs. */
export const NOTES: usize = 128;
// For four outputs, in `work`: their scales, their zero points, and the loss and signal of their codes.
export const SCALES: usize = 64;
export const ZEROS: usize = 80;
export const SIGNAL: usize = 96;
export const NOISE: usize = 112;

@inline
export function rounded(x: v128): v128 {
  return f32x4.sub(f32x4.add(x, f32x4.splat(ROUNDER)), f32x4.splat(ROUNDER));
}

@inline
export function within(steps: v128, low: v128, high: v128): v128 {
  return rounded(f32x4.pmin(high, f32x4.pmax(low, steps)));
}

/** The block of four outputs, from `first` on; beyond the last output it is repeated. */
export function load4(
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
      transpose4(a, b, c, d, to, to + 16, to + 32, to + 48);
    }
  }
  for (; to < end; to += 16, a += step, b += step, c += step, d += step) {
    store<f32>(to, load<f32>(a));
    store<f32>(to, load<f32>(b), 4);
    store<f32>(to, load<f32>(c), 8);
    store<f32>(to, load<f32>(d), 12);
  }
}

/** Outputs that are processed together. If outputs are contiguous, a cache line holds 16. */
@inline
export function together(along: i32): i32 {
  return along == 1 ? 16 : 4;
}

/**
 * Number of steps. A step is a block of {@link together} outputs. Steps follow the memory layout: along outputs first
 * if these are contiguous, otherwise along inputs.
 */
@inline
export function stepsOf(outputs: i32, along: i32, blocks: i32): i32 {
  const group = together(along);
  return (outputs + group - 1) / group * blocks;
}

/** The block of a step along the inputs. */
@inline
export function blockOf(step: i32, outputs: i32, along: i32, blocks: i32): i32 {
  return along == 1 ? step / (stepsOf(outputs, along, blocks) / blocks) : step % blocks;
}

/** The first output of a step. */
@inline
export function firstOf(step: i32, outputs: i32, along: i32, blocks: i32): i32 {
  return (along == 1 ? step % (stepsOf(outputs, along, blocks) / blocks) : step / blocks) * together(along);
}

/**
 * Loads the block of up to {@link together} outputs in groups of four as in `load4`; each group is `size` bytes after
 * the previous one.
 */
export function loadAll(
  data: usize, outputs: i32, first: i32, along: i32, across: i32, length: i32, to: usize, size: usize,
): void {
  const end = min(outputs, first + together(along));
  if (along != 1 || end - first < 16) {
    for (; first < end; first += 4, to += size) load4(data, outputs, first, along, across, length, to);
    return;
  }
  const step = <usize>across << 2;
  const last = to + (<usize>length << 4);
  for (let at = data + (<usize>first << 2); to < last; at += step, to += 16) {
    v128.store(to, v128.load(at));
    v128.store(to + size, v128.load(at, 16));
    v128.store(to + 2 * size, v128.load(at, 32));
    v128.store(to + 3 * size, v128.load(at, 48));
  }
}

/** Loads a number for each of four lanes; 1 beyond the last output. @param stride - from one output to the next */
export function lanes4(from: usize, outputs: i32, first: i32, stride: i32, index: i32, notes: usize): v128 {
  v128.store(notes, f32x4.splat(1));
  const lanes = min(4, outputs - first);
  for (let lane = 0; lane < lanes; lane++) {
    const at = <usize>(first + lane) * <usize>stride + <usize>index;
    store<f32>(notes + (<usize>lane << 2), load<f32>(from + (at << 2)));
  }
  return v128.load(notes);
}
