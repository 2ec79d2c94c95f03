// Selection between two magnitudes: counts the elements below, and collects the few elements in between.
import { RESULT, SCRATCH } from './area';
import { nansIn, zerosIn } from './histogram';

const INFINITY_BITS: i32 = 0x7f800000;
/** Elements between two checks for special values: 16 KiB of data, still in the first-level cache. */
const BLOCK: usize = 16384;

@inline
function sum(v: v128): u32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

@inline
function total(a: v128, b: v128, c: v128, d: v128): v128 {
  return i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
}

export function countWithin(data: usize, length: i32, low: i32, high: i32, out: usize, room: u32): void {
  const end = data + (<usize>length << 2);
  const magnitude = i32x4.splat(0x7fffffff);
  const none = i32x4.splat(0);
  const least = i32x4.splat(low);
  const most = i32x4.splat(high);
  const limit = out + (<usize>room << 2);
  let to = out;
  let below = none; // minus the number, by lane
  let less: u32 = 0;
  let zeros: u32 = 0;
  let nans: u32 = 0;
  let lost: u32 = 0; // elements in between that did not fit
  let at = data;
  while (at < end) {
    const start = at;
    const stop = end - at > BLOCK ? at + BLOCK : end;
    let smallest = magnitude;
    let largest = none;
    // Note which vectors hold matches, and where, without a branch, because the branch would be unpredictable.
    let noted = SCRATCH;
    let place: u32 = 0;
    for (; at + 64 <= stop; at += 64) {
      const a = v128.and(v128.load(at), magnitude);
      const b = v128.and(v128.load(at, 16), magnitude);
      const c = v128.and(v128.load(at, 32), magnitude);
      const d = v128.and(v128.load(at, 48), magnitude);
      smallest = i32x4.min_s(smallest, i32x4.min_s(i32x4.min_s(a, b), i32x4.min_s(c, d)));
      largest = i32x4.max_s(largest, i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d)));
      const la = i32x4.lt_s(a, least);
      const lb = i32x4.lt_s(b, least);
      const lc = i32x4.lt_s(c, least);
      const ld = i32x4.lt_s(d, least);
      below = i32x4.add(below, total(la, lb, lc, ld));
      const ia = v128.andnot(i32x4.le_s(a, most), la);
      const ib = v128.andnot(i32x4.le_s(b, most), lb);
      const ic = v128.andnot(i32x4.le_s(c, most), lc);
      const id = v128.andnot(i32x4.le_s(d, most), ld);
      const lanes = i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(ia, ib), i16x8.narrow_i32x4_s(ic, id)));
      store<u32>(noted, place | <u32>lanes);
      noted += <usize>(lanes != 0) << 2;
      place += 1 << 16;
    }
    for (let note = SCRATCH; note < noted; note += 4) {
      const entry = load<u32>(note);
      const from = start + (<usize>(entry >> 16) << 6);
      let lanes = entry & 0xffff;
      do {
        if (to < limit) {
          store<i32>(to, load<i32>(from + (<usize>ctz(lanes) << 2)) & 0x7fffffff);
          to += 4;
        } else lost++;
        lanes &= lanes - 1;
      } while (lanes != 0);
    }
    for (let one = at; one < stop; one += 4) {
      const bits = load<i32>(one) & 0x7fffffff;
      smallest = i32x4.min_s(smallest, i32x4.splat(bits));
      largest = i32x4.max_s(largest, i32x4.splat(bits));
      if (bits < low) less++;
      else if (bits <= high) {
        if (to < limit) {
          store<i32>(to, bits);
          to += 4;
        } else lost++;
      }
    }
    at = stop;
    if (!i32x4.all_true(smallest)) zeros += zerosIn(start, stop);
    if (v128.any_true(i32x4.gt_s(largest, i32x4.splat(INFINITY_BITS)))) nans += nansIn(start, stop);
  }
  store<u32>(RESULT, less - sum(below));
  store<u32>(RESULT, zeros, 4);
  store<u32>(RESULT, nans, 8);
  store<u32>(RESULT, <u32>((to - out) >> 2) + lost, 12);
}
