// Minima and maxima. `pmin(a, b)` is `b < a ? b : a`, the same comparison as in the reference, so −0 never replaces 0.
//
// NaN and infinities make a running sum non-finite, which costs one addition per vector. Sums of huge finite values may
// also overflow, so a non-finite sum is followed by an exact check of the exponents.

@inline
function fold(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3)
  );
}

@inline
function lowest(v: v128): f32 {
  const half = f32x4.pmin(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmin(half, v128.shuffle<f32>(half, half, 1, 0, 3, 2)), 0);
}

@inline
function highest(v: v128): f32 {
  const half = f32x4.pmax(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(half, v128.shuffle<f32>(half, half, 1, 0, 3, 2)), 0);
}

function allFinite(data: usize, rows: i32, columns: i32, stride: usize): i32 {
  for (let row = 0; row < rows; row++, data += stride) {
    for (let at = data, end = data + (<usize>columns << 2); at < end; at += 4) {
      if ((load<i32>(at) & 0x7f800000) == 0x7f800000) return 0;
    }
  }
  return 1;
}

@inline
function verdict(sum: f32, data: usize, rows: i32, columns: i32, stride: usize): i32 {
  return sum - sum == 0 ? 1 : allFinite(data, rows, columns, stride);
}

export function rangeRows(data: usize, rows: i32, columns: i32, stride: i32, min: usize, max: usize): i32 {
  const pitch = <usize>stride << 2;
  let sum = f32x4.splat(0);
  let more = sum;
  let rest: f32 = 0;
  for (let row = 0, start = data; row < rows; row++, start += pitch, min += 4, max += 4) {
    let at = start;
    const end = at + (<usize>columns << 2);
    let low = load<f32>(min);
    let high = load<f32>(max);
    if (columns >= 4) {
      let low0 = f32x4.splat(low);
      let low1 = low0;
      let low2 = low0;
      let low3 = low0;
      let high0 = f32x4.splat(high);
      let high1 = high0;
      let high2 = high0;
      let high3 = high0;
      for (; at + 64 <= end; at += 64) {
        const a = v128.load(at);
        const b = v128.load(at, 16);
        const c = v128.load(at, 32);
        const d = v128.load(at, 48);
        low0 = f32x4.pmin(low0, a);
        low1 = f32x4.pmin(low1, b);
        low2 = f32x4.pmin(low2, c);
        low3 = f32x4.pmin(low3, d);
        high0 = f32x4.pmax(high0, a);
        high1 = f32x4.pmax(high1, b);
        high2 = f32x4.pmax(high2, c);
        high3 = f32x4.pmax(high3, d);
        sum = f32x4.add(sum, f32x4.add(a, b));
        more = f32x4.add(more, f32x4.add(c, d));
      }
      for (; at + 16 <= end; at += 16) {
        const a = v128.load(at);
        low0 = f32x4.pmin(low0, a);
        high0 = f32x4.pmax(high0, a);
        sum = f32x4.add(sum, a);
      }
      low = lowest(f32x4.pmin(f32x4.pmin(low0, low1), f32x4.pmin(low2, low3)));
      high = highest(f32x4.pmax(f32x4.pmax(high0, high1), f32x4.pmax(high2, high3)));
    }
    for (; at < end; at += 4) {
      const value = load<f32>(at);
      if (value < low) low = value;
      if (value > high) high = value;
      rest += value;
    }
    store<f32>(min, low);
    store<f32>(max, high);
  }
  return verdict(rest + fold(f32x4.add(sum, more)), data, rows, columns, pitch);
}

export function rangeColumns(data: usize, rows: i32, columns: i32, stride: i32, min: usize, max: usize): i32 {
  const pitch = <usize>stride << 2;
  const vectors = <usize>(columns & ~3) << 2;
  const width = <usize>columns << 2;
  let sum = f32x4.splat(0);
  let rest: f32 = 0;
  let row = 0;
  let start = data;
  // Four rows at a time: each minimum and maximum is loaded and stored once for four values.
  for (; row + 4 <= rows; row += 4, start += pitch << 2) {
    let p0 = start;
    let p1 = p0 + pitch;
    let p2 = p1 + pitch;
    let p3 = p2 + pitch;
    for (let at: usize = 0; at < vectors; at += 16) {
      const a = v128.load(p0 + at);
      const b = v128.load(p1 + at);
      const c = v128.load(p2 + at);
      const d = v128.load(p3 + at);
      const low = f32x4.pmin(f32x4.pmin(v128.load(min + at), a), b);
      const high = f32x4.pmax(f32x4.pmax(v128.load(max + at), a), b);
      sum = f32x4.add(sum, f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
      v128.store(min + at, f32x4.pmin(f32x4.pmin(low, c), d));
      v128.store(max + at, f32x4.pmax(f32x4.pmax(high, c), d));
    }
  }
  for (; row < rows; row++, start += pitch) {
    for (let at: usize = 0; at < vectors; at += 16) {
      const a = v128.load(start + at);
      sum = f32x4.add(sum, a);
      v128.store(min + at, f32x4.pmin(v128.load(min + at), a));
      v128.store(max + at, f32x4.pmax(v128.load(max + at), a));
    }
  }
  for (let at = vectors; at < width; at += 4) {
    let low = load<f32>(min + at);
    let high = load<f32>(max + at);
    let cell = data + at;
    for (let r = 0; r < rows; r++, cell += pitch) {
      const value = load<f32>(cell);
      if (value < low) low = value;
      if (value > high) high = value;
      rest += value;
    }
    store<f32>(min + at, low);
    store<f32>(max + at, high);
  }
  return verdict(rest + fold(sum), data, rows, columns, pitch);
}
