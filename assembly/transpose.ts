/** Four rows of four float32, at `a` to `d`, as four columns at `e` to `h`. */
@inline
export function transpose4(a: usize, b: usize, c: usize, d: usize, e: usize, f: usize, g: usize, h: usize): void {
  const p = v128.load(a);
  const q = v128.load(b);
  const r = v128.load(c);
  const s = v128.load(d);
  const pq = v128.shuffle<i32>(p, q, 0, 4, 1, 5);
  const rs = v128.shuffle<i32>(r, s, 0, 4, 1, 5);
  const pq2 = v128.shuffle<i32>(p, q, 2, 6, 3, 7);
  const rs2 = v128.shuffle<i32>(r, s, 2, 6, 3, 7);
  v128.store(e, v128.shuffle<i64>(pq, rs, 0, 2));
  v128.store(f, v128.shuffle<i64>(pq, rs, 1, 3));
  v128.store(g, v128.shuffle<i64>(pq2, rs2, 0, 2));
  v128.store(h, v128.shuffle<i64>(pq2, rs2, 1, 3));
}
