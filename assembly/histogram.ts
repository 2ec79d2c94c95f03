// Counting magnitudes, 16 bits at a time. There are four adjacent copies of every counter. Neighbouring elements, which
// are often equal, then never wait for each other's store, and a bin stays in one cache line.
import { HISTOGRAM, RESULT } from './area';

/** Elements between two checks of the bin of zeros: 16 KiB of data, still in the first-level cache. */
const BLOCK: usize = 16384;
const INFINITY_BIN: usize = 0x7f80;
const BINS: usize = 0x8000;

@inline
function total(bin: usize): u32 {
  const at = HISTOGRAM + (bin << 4);
  return load<u32>(at) + load<u32>(at, 4) + load<u32>(at, 8) + load<u32>(at, 12);
}

/** Elements counted in the bins that only NaN can fall into. */
function nanTotal(): u32 {
  let sum = i32x4.splat(0);
  for (let bin = INFINITY_BIN + 1; bin < BINS; bin++) sum = i32x4.add(sum, v128.load(HISTOGRAM + (bin << 4)));
  return (
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3)
  );
}

/** Counts the elements at `at` + 0, 4, 8 and 12, each in its own copy. */
@inline
function four(at: usize): void {
  const front = load<u64>(at);
  const back = load<u64>(at, 8);
  const a = <u32>(front >> 12) & 0x7fff0;
  store<u32>(a, load<u32>(a, HISTOGRAM) + 1, HISTOGRAM);
  const b = <u32>(front >> 44) & 0x7fff0;
  store<u32>(b, load<u32>(b, HISTOGRAM + 4) + 1, HISTOGRAM + 4);
  const c = <u32>(back >> 12) & 0x7fff0;
  store<u32>(c, load<u32>(c, HISTOGRAM + 8) + 1, HISTOGRAM + 8);
  const d = <u32>(back >> 44) & 0x7fff0;
  store<u32>(d, load<u32>(d, HISTOGRAM + 12) + 1, HISTOGRAM + 12);
}

export function zerosIn(at: usize, end: usize): u32 {
  const magnitude = i32x4.splat(0x7fffffff);
  const zero = i32x4.splat(0);
  let sum = zero;
  for (; at + 16 <= end; at += 16) sum = i32x4.sub(sum, i32x4.eq(v128.and(v128.load(at), magnitude), zero));
  let count =
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3);
  for (; at < end; at += 4) if ((load<i32>(at) & 0x7fffffff) == 0) count++;
  return count;
}

export function nansIn(at: usize, end: usize): u32 {
  let count = 0;
  for (; at < end; at += 4) if ((load<i32>(at) & 0x7fffffff) > 0x7f800000) count++;
  return count;
}

export function countTop(data: usize, length: i32): void {
  const end = data + (<usize>length << 2);
  const nan = nanTotal();
  const infinite = total(INFINITY_BIN);
  let zeros: u32 = 0;
  let tiny = total(0);
  let at = data;
  while (at < end) {
    const start = at;
    const stop = end - at > BLOCK ? at + BLOCK : end;
    for (; at + 32 <= stop; at += 32) {
      four(at);
      four(at + 16);
    }
    for (; at < stop; at += 4) {
      const bin = (load<u32>(at) >> 12) & 0x7fff0;
      store<u32>(bin, load<u32>(bin, HISTOGRAM) + 1, HISTOGRAM);
    }
    const now = total(0);
    if (now != tiny) zeros += zerosIn(start, stop);
    tiny = now;
  }
  // Only the bin of infinity holds both infinities and NaN.
  const nans = nanTotal() - nan + (total(INFINITY_BIN) - infinite);
  store<u32>(RESULT, zeros);
  store<u32>(RESULT, nans == 0 ? 0 : nansIn(data, end), 4);
}

@inline
function countLanes(at: usize, equal: v128): void {
  for (let lanes = i32x4.bitmask(equal); lanes != 0; lanes &= lanes - 1) {
    const bin = <usize>load<u16>(at + (<usize>ctz(lanes) << 2)) << 2;
    store<u32>(bin, load<u32>(bin, HISTOGRAM) + 1, HISTOGRAM);
  }
}

export function countLow(data: usize, length: i32, top: i32): void {
  const end = data + (<usize>length << 2);
  const mask = i32x4.splat(0x7fff0000);
  const wanted = i32x4.splat(top << 16);
  let at = data;
  for (; at + 64 <= end; at += 64) {
    const a = i32x4.eq(v128.and(v128.load(at), mask), wanted);
    const b = i32x4.eq(v128.and(v128.load(at, 16), mask), wanted);
    const c = i32x4.eq(v128.and(v128.load(at, 32), mask), wanted);
    const d = i32x4.eq(v128.and(v128.load(at, 48), mask), wanted);
    if (!v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) continue;
    countLanes(at, a);
    countLanes(at + 16, b);
    countLanes(at + 32, c);
    countLanes(at + 48, d);
  }
  for (; at < end; at += 4) {
    if ((load<i32>(at) & 0x7fff0000) != top << 16) continue;
    const bin = <usize>load<u16>(at) << 2;
    store<u32>(bin, load<u32>(bin, HISTOGRAM) + 1, HISTOGRAM);
  }
}
