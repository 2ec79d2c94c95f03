// Processes the columns of a matrix in order; later columns compensate the error of each one. Equal bit for bit to
// src/kernels/simd/scalarColumns.ts. Matrices are [width, rows]: sixteen rows of a column are contiguous and computed
// together. `work` keeps what these rows need from previous columns, as [columns, 16].

/** Bytes of one column of sixteen rows. */
const COLUMN: usize = 64;

/** Four of sixteen bytes, as float32. */
@inline
function floats4(bytes: usize): v128 {
  const words = i16x8.extend_low_i8x16_u(v128.load32_zero(bytes));
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(words));
}

/** Stores sixteen numbers from 0 to 255 as bytes. */
@inline
function storeBytes(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  const low = i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(a), i32x4.trunc_sat_f32x4_s(b));
  const high = i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(c), i32x4.trunc_sat_f32x4_s(d));
  v128.store(to, i8x16.narrow_i16x8_u(low, high));
}

/** Subtracts from a column of sixteen rows the errors of `count` columns, each times its factor. */
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

/**
 * Selects the lowest scores of a group, all but `keep` of them, the first among equal ones: their mask lanes become 1.
 */
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
  const lost = work;
  const scores = lost + <usize>width * COLUMN;
  const gone = scores + <usize>width * COLUMN;
  const line = <usize>rows << 2;
  for (let row: usize = 0; row < <usize>rows; row += 16) {
    const values = data + (row << 2);
    const wrong = errors + (row << 2);
    for (let column: usize = 0; column < <usize>width; column++) {
      const from = mask + column * <usize>rows + row;
      const to = gone + column * COLUMN;
      for (let quarter: usize = 0; quarter < 4; quarter++) {
        v128.store(to + (quarter << 4), floats4(from + (quarter << 2)));
      }
    }
    for (let group = 0; group < groups; group++) {
      const from = load<i32>(bounds + (<usize>group << 2));
      const to = load<i32>(bounds + (<usize>group << 2), 4);
      if (keep >= 0) {
        for (let column = from; column < to; column++) {
          const at = <usize>column * COLUMN;
          const own = values + <usize>column * line;
          const factors = factor + (<usize>column * <usize>width << 2);
          settle(own, lost, factors, from);
          const diagonal = v128.load32_splat(factors + (<usize>column << 2));
          for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
            const scaled = f32x4.div(v128.load(own + quarter), diagonal);
            const zero = f32x4.ne(v128.load(gone + at + quarter), f32x4.splat(0));
            v128.store(scores + at + quarter, v128.bitselect(f32x4.splat(-1), f32x4.mul(scaled, scaled), zero));
          }
        }
        chooseGroup(scores + <usize>from * COLUMN, gone + <usize>from * COLUMN, to - from, keep);
      }
      const first = keep >= 0 ? from : 0;
      for (let column = from; column < to; column++) {
        const at = <usize>column * COLUMN;
        const own = values + <usize>column * line;
        const factors = factor + (<usize>column * <usize>width << 2);
        settle(own, lost + <usize>first * COLUMN, factors + (<usize>first << 2), column - first);
        const diagonal = v128.load32_splat(factors + (<usize>column << 2));
        const error = wrong + <usize>column * line;
        for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
          const value = v128.load(own + quarter);
          const out = f32x4.ne(v128.load(gone + at + quarter), f32x4.splat(0));
          const taken = v128.and(f32x4.div(value, diagonal), out);
          v128.store(own + quarter, v128.andnot(value, out));
          v128.store(lost + at + quarter, taken);
          v128.store(error + quarter, taken);
        }
      }
    }
  }
}

/** Nearest codes minus the zero points; 0 where the scale is 0. */
@inline
function nearest(value: v128, scale: v128, zero: v128, last: v128): v128 {
  const steps = f32x4.pmin(f32x4.sub(last, zero), f32x4.pmax(f32x4.neg(zero), f32x4.div(value, scale)));
  // Adding 0 turns -0 into 0.
  return v128.and(f32x4.add(f32x4.nearest(steps), f32x4.splat(0)), f32x4.ne(scale, f32x4.splat(0)));
}

export function sweepCodes(
  data: usize, errors: usize, scale: usize, zero: usize, code: usize, rows: i32, width: i32, bits: i32,
  factor: usize, work: usize,
): void {
  const lost = work;
  const codes = lost + <usize>width * COLUMN;
  const last = f32x4.splat(<f32>((1 << bits) - 1));
  for (let row: usize = 0; row < <usize>rows; row += 16) {
    for (let column = 0; column < width; column++) {
      const place = <usize>column * <usize>rows + row;
      const own = data + (place << 2);
      const at = lost + <usize>column * COLUMN;
      const factors = factor + (<usize>column * <usize>width << 2);
      settle(own, lost, factors, column);
      const diagonal = v128.load32_splat(factors + (<usize>column << 2));
      for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
        const value = v128.load(own + quarter);
        const s = v128.load(scale + (place << 2) + quarter);
        const z = floats4(zero + place + (quarter >> 2));
        const steps = nearest(value, s, z, last);
        const error = f32x4.div(f32x4.sub(value, f32x4.mul(steps, s)), diagonal);
        v128.store(at + quarter, error);
        v128.store(errors + (place << 2) + quarter, error);
        v128.store(codes + quarter, f32x4.add(steps, z));
      }
      storeBytes(code + place, v128.load(codes), v128.load(codes, 16), v128.load(codes, 32), v128.load(codes, 48));
    }
  }
}

export function descendCodes(
  pull: usize, changes: usize, scale: usize, zero: usize, code: usize, rows: i32, width: i32, bits: i32,
  square: usize, work: usize,
): i32 {
  const lost = work;
  const codes = lost + <usize>width * COLUMN;
  const asked = codes + COLUMN;
  const last = f32x4.splat(<f32>((1 << bits) - 1));
  let count: i32 = 0;
  for (let row: usize = 0; row < <usize>rows; row += 16) {
    for (let column = 0; column < width; column++) {
      const place = <usize>column * <usize>rows + row;
      const own = pull + (place << 2);
      const at = lost + <usize>column * COLUMN;
      const factors = square + (<usize>column * <usize>width << 2);
      for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
        v128.store(asked + quarter, v128.load(own + quarter));
      }
      settle(asked, lost, factors, column);
      const diagonal = v128.load32_splat(factors + (<usize>column << 2));
      let moved = i32x4.splat(0);
      for (let quarter: usize = 0; quarter < COLUMN; quarter += 16) {
        const s = v128.load(scale + (place << 2) + quarter);
        const z = floats4(zero + place + (quarter >> 2));
        const before = f32x4.sub(floats4(code + place + (quarter >> 2)), z);
        const best = f32x4.add(f32x4.mul(before, s), f32x4.div(v128.load(asked + quarter), diagonal));
        const steps = nearest(best, s, z, last);
        const more = f32x4.sub(steps, before);
        // Each lane that differs adds −1 to the count.
        moved = i32x4.add(moved, f32x4.ne(more, f32x4.splat(0)));
        const change = f32x4.mul(more, s);
        v128.store(at + quarter, change);
        v128.store(changes + (place << 2) + quarter, change);
        v128.store(codes + quarter, f32x4.add(steps, z));
      }
      const all = i32x4.extract_lane(moved, 0) + i32x4.extract_lane(moved, 1);
      const here = -(all + i32x4.extract_lane(moved, 2) + i32x4.extract_lane(moved, 3));
      if (here == 0) continue;
      count += here;
      storeBytes(code + place, v128.load(codes), v128.load(codes, 16), v128.load(codes, 32), v128.load(codes, 48));
    }
  }
  return count;
}
