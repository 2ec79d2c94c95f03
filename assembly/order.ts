// Selection among magnitudes in one array.
import { RESULT } from './area';

const MAGNITUDE: i32 = 0x7fffffff;

@inline
function sum(v: v128): u32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

export function magnitudes(data: usize, length: i32): void {
  const end = data + (<usize>length << 2);
  const mask = i32x4.splat(MAGNITUDE);
  let at = data;
  for (; at + 16 <= end; at += 16) v128.store(at, v128.and(v128.load(at), mask));
  for (; at < end; at += 4) store<i32>(at, load<i32>(at) & MAGNITUDE);
}

export function countBeside(data: usize, length: i32, bits: i32): void {
  const end = data + (<usize>length << 2);
  const bound = i32x4.splat(bits);
  let below = i32x4.splat(0); // minus the number, by lane
  let same = below;
  let less: u32 = 0;
  let equal: u32 = 0;
  let at = data;
  for (; at + 16 <= end; at += 16) {
    const a = v128.load(at);
    below = i32x4.add(below, i32x4.lt_s(a, bound));
    same = i32x4.add(same, i32x4.eq(a, bound));
  }
  for (; at < end; at += 4) {
    const one = load<i32>(at);
    less += <u32>(one < bits);
    equal += <u32>(one == bits);
  }
  store<u32>(RESULT, less - sum(below));
  store<u32>(RESULT, equal - sum(same), 4);
}
