// Codes at scales that were found, the nearest ones, and what they lose.
import { RESULT } from './area';
import { lanes4, load4, NOTES, within } from './blocks';

@inline
function total(x: v128): f64 {
  const front = <f64>f32x4.extract_lane(x, 0) + <f64>f32x4.extract_lane(x, 1);
  return front + <f64>f32x4.extract_lane(x, 2) + <f64>f32x4.extract_lane(x, 3);
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
