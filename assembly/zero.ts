// Pruning by magnitude: elements below the threshold become 0, and so do the first `ties` elements equal to it.
import { RESULT } from './area';

@inline
function sum(v: v128): u32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

export function zeroBelow(data: usize, length: i32, threshold: i32, ties: u32): void {
  const end = data + (<usize>length << 2);
  const magnitude = i32x4.splat(0x7fffffff);
  const none = i32x4.splat(0);
  const equal = i32x4.splat(threshold);
  let at = data;
  let kept = none; // minus the number of elements kept, by lane
  let nonzero = none; // minus the number of elements that were not zero
  let vectors: u32 = 0;
  let lost: u32 = 0;
  let left = ties;
  while (at < end) {
    // While ties are left to prune, elements equal to the threshold stop the fast loop; otherwise they are kept.
    const bound = i32x4.splat(left > 0 ? threshold : threshold - 1);
    const giving = left > 0;
    for (; at + 64 <= end; at += 64) {
      const a = v128.load(at);
      const b = v128.load(at, 16);
      const c = v128.load(at, 32);
      const d = v128.load(at, 48);
      const ma = v128.and(a, magnitude);
      const mb = v128.and(b, magnitude);
      const mc = v128.and(c, magnitude);
      const md = v128.and(d, magnitude);
      if (giving) {
        const front = v128.or(i32x4.eq(ma, equal), i32x4.eq(mb, equal));
        const back = v128.or(i32x4.eq(mc, equal), i32x4.eq(md, equal));
        if (v128.any_true(v128.or(front, back))) break;
      }
      const ka = i32x4.gt_s(ma, bound);
      const kb = i32x4.gt_s(mb, bound);
      const kc = i32x4.gt_s(mc, bound);
      const kd = i32x4.gt_s(md, bound);
      v128.store(at, v128.and(a, ka));
      v128.store(at, v128.and(b, kb), 16);
      v128.store(at, v128.and(c, kc), 32);
      v128.store(at, v128.and(d, kd), 48);
      kept = i32x4.add(kept, i32x4.add(i32x4.add(ka, kb), i32x4.add(kc, kd)));
      const na = i32x4.add(i32x4.gt_s(ma, none), i32x4.gt_s(mb, none));
      const nc = i32x4.add(i32x4.gt_s(mc, none), i32x4.gt_s(md, none));
      nonzero = i32x4.add(nonzero, i32x4.add(na, nc));
    }
    const stop = end - at > 64 ? at + 64 : end;
    for (; at < stop; at += 4) {
      const bits = load<i32>(at) & 0x7fffffff;
      if (bits > threshold) continue;
      if (bits == threshold) {
        if (left == 0) continue;
        left--;
      }
      if (bits != 0) lost++;
      store<i32>(at, 0);
    }
  }
  // The fast loop keeps a zero only if the threshold is 0, which prunes nothing.
  if (threshold > 0) lost += sum(kept) - sum(nonzero);
  store<u32>(RESULT, ties - left);
  store<u32>(RESULT, lost, 4);
}
