// Columns of a matrix one after the other, each with an error that those right of it take back, as
// src/kernels/simd/scalarColumns.ts has it, bit by bit. Sixteen rows are computed side by side; they are copied to `work`
// first, as [columns, 16].
import { transpose4 } from './transpose';

/** Bytes at the beginning of `work` for what one column of sixteen rows notes. */
const NOTES: usize = 64;
/** Bytes of one column of sixteen rows. */
const COLUMN: usize = 64;

/** Sixteen rows, `[16, width]`, as `[width, 16]`. */
function load16(from: usize, width: i32, to: usize): void {
  const line = <usize>width << 2;
  for (let quarter = 0; quarter < 4; quarter++) {
    let a = from + <usize>(quarter << 2) * line;
    let b = a + line;
    let c = b + line;
    let d = c + line;
    let at = to + (<usize>quarter << 4);
    let column = 0;
    for (; column + 4 <= width; column += 4, at += 4 * COLUMN, a += 16, b += 16, c += 16, d += 16) {
      transpose4(a, b, c, d, at, at + COLUMN, at + 2 * COLUMN, at + 3 * COLUMN);
    }
    for (; column < width; column++, at += COLUMN, a += 4, b += 4, c += 4, d += 4) {
      store<f32>(at, load<f32>(a));
      store<f32>(at, load<f32>(b), 4);
      store<f32>(at, load<f32>(c), 8);
      store<f32>(at, load<f32>(d), 12);
    }
  }
}

/** The other way. */
function store16(from: usize, width: i32, to: usize): void {
  const line = <usize>width << 2;
  for (let quarter = 0; quarter < 4; quarter++) {
    let a = to + <usize>(quarter << 2) * line;
    let b = a + line;
    let c = b + line;
    let d = c + line;
    let at = from + (<usize>quarter << 4);
    let column = 0;
    for (; column + 4 <= width; column += 4, at += 4 * COLUMN, a += 16, b += 16, c += 16, d += 16) {
      transpose4(at, at + COLUMN, at + 2 * COLUMN, at + 3 * COLUMN, a, b, c, d);
    }
    for (; column < width; column++, at += COLUMN, a += 4, b += 4, c += 4, d += 4) {
      store<f32>(a, load<f32>(at));
      store<f32>(b, load<f32>(at, 4));
      store<f32>(c, load<f32>(at, 8));
      store<f32>(d, load<f32>(at, 12));
    }
  }
}

/** A byte of each of sixteen rows, as float32 at `to`. */
@inline
function bytes16(from: usize, width: i32, to: usize): void {
  for (let lane: usize = 0; lane < 16; lane++, from += <usize>width) store<f32>(to + (lane << 2), <f32>load<u8>(from));
}

/** Takes from a column of sixteen rows the errors of `count` columns, each times its factor. */
@inline
function settle(at: usize, errors: usize, factors: usize, count: i32): void {
  let a = v128.load(at);
  let b = v128.load(at, 16);
  let c = v128.load(at, 32);
  let d = v128.load(at, 48);
  for (const end = factors + (<usize>count << 2); factors < end; factors += 4, errors += COLUMN) {
    const factor = v128.load32_splat(factors);
    a = f32x4.sub(a, f32x4.mul(v128.load(errors), factor));
    b = f32x4.sub(b, f32x4.mul(v128.load(errors, 16), factor));
    c = f32x4.sub(c, f32x4.mul(v128.load(errors, 32), factor));
    d = f32x4.sub(d, f32x4.mul(v128.load(errors, 48), factor));
  }
  v128.store(at, a);
  v128.store(at, b, 16);
  v128.store(at, c, 32);
  v128.store(at, d, 48);
}

/** Of the scores of a group the least, all but `keep`, the first among equal ones: their lanes in the mask become 1. */
function chooseGroup(scores: usize, mask: usize, length: i32, keep: i32): void {
  const most = i32x4.splat(length - keep);
  for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
    for (let one = 0; one < length; one++) {
      const own = v128.load(scores + <usize>one * COLUMN + quarter);
      let before = i32x4.splat(0);
      for (let other = 0; other < length; other++) {
        const score = v128.load(scores + <usize>other * COLUMN + quarter);
        const less = other < one ? f32x4.le(score, own) : f32x4.lt(score, own);
        before = i32x4.sub(before, less);
      }
      const chosen = v128.and(i32x4.lt_s(before, most), f32x4.splat(1));
      v128.store(mask + <usize>one * COLUMN + quarter, chosen);
    }
  }
}

export function eliminate(
  data: usize, errors: usize, mask: usize, rows: i32, width: i32, bounds: usize, groups: i32, keep: i32,
  factor: usize, work: usize,
): void {
  const tile = work + NOTES;
  const lost = tile + <usize>width * COLUMN;
  const scores = lost + <usize>width * COLUMN;
  const gone = scores + <usize>width * COLUMN;
  const line = <usize>width << 2;
  for (let row = 0; row < rows; row += 16) {
    load16(data + <usize>row * line, width, tile);
    const masks = mask + <usize>row * <usize>width;
    for (let column: usize = 0; column < <usize>width; column++) bytes16(masks + column, width, gone + column * COLUMN);
    for (let group = 0; group < groups; group++) {
      const from = load<i32>(bounds + (<usize>group << 2));
      const to = load<i32>(bounds + (<usize>group << 2), 4);
      if (keep >= 0) {
        for (let column = from; column < to; column++) {
          const at = <usize>column * COLUMN;
          const factors = factor + (<usize>column * <usize>width << 2);
          settle(tile + at, lost, factors, from);
          const diagonal = v128.load32_splat(factors + (<usize>column << 2));
          for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
            const scaled = f32x4.div(v128.load(tile + at + quarter), diagonal);
            const zero = f32x4.ne(v128.load(gone + at + quarter), f32x4.splat(0));
            v128.store(scores + at + quarter, v128.bitselect(f32x4.splat(-1), f32x4.mul(scaled, scaled), zero));
          }
        }
        chooseGroup(scores + <usize>from * COLUMN, gone + <usize>from * COLUMN, to - from, keep);
      }
      const first = keep >= 0 ? from : 0;
      for (let column = from; column < to; column++) {
        const at = <usize>column * COLUMN;
        const factors = factor + (<usize>column * <usize>width << 2);
        settle(tile + at, lost + <usize>first * COLUMN, factors + (<usize>first << 2), column - first);
        const diagonal = v128.load32_splat(factors + (<usize>column << 2));
        for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
          const value = v128.load(tile + at + quarter);
          const out = f32x4.ne(v128.load(gone + at + quarter), f32x4.splat(0));
          v128.store(tile + at + quarter, v128.andnot(value, out));
          v128.store(lost + at + quarter, v128.and(f32x4.div(value, diagonal), out));
        }
      }
    }
    store16(tile, width, data + <usize>row * line);
    store16(lost, width, errors + <usize>row * line);
  }
}

/** Codes less the zero points: the nearest ones, and 0 where the scale is. */
@inline
function nearest(value: v128, scale: v128, zero: v128, last: v128): v128 {
  const steps = f32x4.pmin(f32x4.sub(last, zero), f32x4.pmax(f32x4.neg(zero), f32x4.div(value, scale)));
  // Adding 0 makes 0 of -0.
  return v128.and(f32x4.add(f32x4.nearest(steps), f32x4.splat(0)), f32x4.ne(scale, f32x4.splat(0)));
}

export function sweepCodes(
  data: usize, errors: usize, scale: usize, zero: usize, code: usize, rows: i32, width: i32, bits: i32,
  factor: usize, work: usize,
): void {
  const tile = work + NOTES;
  const lost = tile + <usize>width * COLUMN;
  const scales = lost + <usize>width * COLUMN;
  const line = <usize>width << 2;
  const last = f32x4.splat(<f32>((1 << bits) - 1));
  for (let row = 0; row < rows; row += 16) {
    load16(data + <usize>row * line, width, tile);
    load16(scale + <usize>row * line, width, scales);
    for (let column = 0; column < width; column++) {
      const at = <usize>column * COLUMN;
      const factors = factor + (<usize>column * <usize>width << 2);
      settle(tile + at, lost, factors, column);
      const place = <usize>row * <usize>width + <usize>column;
      bytes16(zero + place, width, work);
      const diagonal = v128.load32_splat(factors + (<usize>column << 2));
      for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
        const value = v128.load(tile + at + quarter);
        const s = v128.load(scales + at + quarter);
        const z = v128.load(work + quarter);
        const steps = nearest(value, s, z, last);
        v128.store(lost + at + quarter, f32x4.div(f32x4.sub(value, f32x4.mul(steps, s)), diagonal));
        v128.store(work + quarter, i32x4.trunc_sat_f32x4_s(f32x4.add(steps, z)));
      }
      let to = code + place;
      for (let lane: usize = 0; lane < 16; lane++, to += <usize>width) store<u8>(to, load<u8>(work + (lane << 2)));
    }
    store16(lost, width, errors + <usize>row * line);
  }
}

export function descendCodes(
  pull: usize, changes: usize, scale: usize, zero: usize, code: usize, rows: i32, width: i32, bits: i32,
  square: usize, work: usize,
): i32 {
  const tile = work + NOTES;
  const lost = tile + <usize>width * COLUMN;
  const scales = lost + <usize>width * COLUMN;
  const zeros = scales + <usize>width * COLUMN;
  const line = <usize>width << 2;
  const last = f32x4.splat(<f32>((1 << bits) - 1));
  let count: i32 = 0;
  for (let row = 0; row < rows; row += 16) {
    load16(pull + <usize>row * line, width, tile);
    load16(scale + <usize>row * line, width, scales);
    for (let column = 0; column < width; column++) {
      const at = <usize>column * COLUMN;
      const factors = square + (<usize>column * <usize>width << 2);
      settle(tile + at, lost, factors, column);
      const place = <usize>row * <usize>width + <usize>column;
      bytes16(zero + place, width, zeros);
      bytes16(code + place, width, work);
      const diagonal = v128.load32_splat(factors + (<usize>column << 2));
      let moved = i32x4.splat(0);
      for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
        const s = v128.load(scales + at + quarter);
        const z = v128.load(zeros + quarter);
        const before = f32x4.sub(v128.load(work + quarter), z);
        const best = f32x4.add(f32x4.mul(before, s), f32x4.div(v128.load(tile + at + quarter), diagonal));
        const steps = nearest(best, s, z, last);
        const more = f32x4.sub(steps, before);
        // Each lane that differs counts down by one.
        moved = i32x4.add(moved, f32x4.ne(more, f32x4.splat(0)));
        v128.store(lost + at + quarter, f32x4.mul(more, s));
        v128.store(work + quarter, i32x4.trunc_sat_f32x4_s(f32x4.add(steps, z)));
      }
      const all = i32x4.extract_lane(moved, 0) + i32x4.extract_lane(moved, 1);
      const here = -(all + i32x4.extract_lane(moved, 2) + i32x4.extract_lane(moved, 3));
      if (here == 0) continue;
      count += here;
      let to = code + place;
      for (let lane: usize = 0; lane < 16; lane++, to += <usize>width) store<u8>(to, load<u8>(work + (lane << 2)));
    }
    store16(lost, width, changes + <usize>row * line);
  }
  return count;
}
