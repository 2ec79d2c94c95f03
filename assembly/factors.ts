// Integer factors of block scales and the step of each row, as in src/kernels/lowbits/factors.ts.
import { lanes4, load4, NOTES, within } from './blocks';

/** Sums of steps · code and code² for a grid: product, square at `notes`. */
function sumOne(at: usize, end: usize, weights: usize, notes: usize, inverse: v128, low: v128, high: v128): void {
  let product = f32x4.splat(0);
  let square = f32x4.splat(0);
  for (; at < end; at += 16) {
    const steps = f32x4.mul(v128.load(at), inverse);
    const code = within(steps, low, high);
    let weighted = code;
    if (weights != 0) {
      weighted = f32x4.mul(v128.load32_splat(weights), code);
      weights += 4;
    }
    product = f32x4.add(product, f32x4.mul(steps, weighted));
    square = f32x4.add(square, f32x4.mul(code, weighted));
  }
  v128.store(notes, product);
  v128.store(notes, square, 16);
}

/** The errors of two steps for four rows, relative to the squares of their largest scales: at `notes` and + 16. */
function stepErrors(
  known: usize, end: usize, notes: usize, most: v128, fraction: f32, fraction2: f32,
): void {
  const one = f32x4.splat(1);
  const inverse = f32x4.div(most, f32x4.splat(fraction));
  const inverse2 = f32x4.div(most, f32x4.splat(fraction2));
  const step = f32x4.div(f32x4.splat(fraction), most);
  const step2 = f32x4.div(f32x4.splat(fraction2), most);
  let error = f32x4.splat(0);
  let error2 = error;
  for (; known < end; known += 32) {
    const size = v128.load(known);
    const square = v128.load(known, 16);
    const apart = f32x4.sub(f32x4.mul(within(f32x4.mul(size, inverse), one, most), step), size);
    const apart2 = f32x4.sub(f32x4.mul(within(f32x4.mul(size, inverse2), one, most), step2), size);
    error = f32x4.add(error, f32x4.mul(square, f32x4.mul(apart, apart)));
    error2 = f32x4.add(error2, f32x4.mul(square, f32x4.mul(apart2, apart2)));
  }
  v128.store(notes, error);
  v128.store(notes, error2, 16);
}

export function chooseFactors(
  data: usize, outputs: i32, inputs: i32, along: i32, across: i32, block: i32, bits: i32,
  scale: usize, fractions: usize, count: i32, weights: usize, work: usize,
  step: usize, factor: usize, known: usize,
): void {
  const blocks = (inputs + block - 1) / block;
  const middle: i32 = 1 << (bits - 1);
  const low = f32x4.splat(<f32>-middle);
  const high = f32x4.splat(<f32>(middle - 1));
  const one = f32x4.splat(1);
  const none = f32x4.splat(0);
  const most = f32x4.splat(<f32>(<i32>127 / middle));
  const tile = work + NOTES;
  const size = <usize>block << 4;
  for (let first = 0; first < outputs; first += 4) {
    const lanes = min(4, outputs - first);
    let widest = none;
    for (let index = 0; index < blocks; index++) {
      widest = f32x4.pmax(widest, f32x4.abs(lanes4(scale, outputs, first, blocks, index, work)));
    }
    const empty = f32x4.eq(widest, none);
    const largest = v128.bitselect(one, widest, empty);
    for (let index = 0; index < blocks; index++) {
      const start = index * block;
      const length = min(block, inputs - start);
      const from = tile + <usize>index * size;
      load4(data + ((<usize>start * <usize>across) << 2), outputs, first, along, across, length, from);
      const own = lanes4(scale, outputs, first, blocks, index, work);
      const at: usize = weights == 0 ? 0 : weights + (<usize>start << 2);
      sumOne(from, from + (<usize>length << 4), at, work, f32x4.div(one, own), low, high);
      const to = known + (<usize>index << 5);
      v128.store(to, f32x4.div(f32x4.abs(own), largest));
      v128.store(to, v128.andnot(v128.load(work, 16), f32x4.eq(own, none)), 16);
    }
    let least = f32x4.splat(Infinity);
    let best = one;
    for (let round = 0; round < count; round += 2) {
      const fraction = load<f32>(fractions + (<usize>round << 2));
      const fraction2 = load<f32>(fractions + (<usize>round << 2), 4);
      stepErrors(known, known + (<usize>blocks << 5), work, most, fraction, fraction2);
      const error = v128.load(work);
      const error2 = v128.load(work, 16);
      const better = f32x4.lt(error, least);
      least = v128.bitselect(error, least, better);
      best = v128.bitselect(f32x4.splat(fraction), best, better);
      const better2 = f32x4.lt(error2, least);
      least = v128.bitselect(error2, least, better2);
      best = v128.bitselect(f32x4.splat(fraction2), best, better2);
    }
    const inverse = f32x4.div(most, best);
    best = f32x4.mul(widest, f32x4.div(best, most));
    // The step that is optimal for its own codes.
    let productFront = f64x2.splat(0);
    let productBack = productFront;
    let squareFront = productFront;
    let squareBack = productFront;
    for (let index = 0; index < blocks; index++) {
      const start = index * block;
      const length = min(block, inputs - start);
      const own = lanes4(scale, outputs, first, blocks, index, work);
      const magnitude = within(f32x4.mul(v128.load(known + (<usize>index << 5)), inverse), one, most);
      const m = v128.bitselect(f32x4.neg(magnitude), magnitude, f32x4.lt(own, none));
      v128.store(work, i32x4.trunc_sat_f32x4_s(m));
      for (let lane = 0; lane < lanes; lane++) {
        const to = factor + <usize>(first + lane) * <usize>blocks + <usize>index;
        store<i8>(to, <i8>load<i32>(work + (<usize>lane << 2)));
      }
      const from = tile + <usize>index * size;
      const at: usize = weights == 0 ? 0 : weights + (<usize>start << 2);
      sumOne(from, from + (<usize>length << 4), at, work, f32x4.div(one, f32x4.mul(m, best)), low, high);
      const area = f32x4.mul(m, m);
      const product = f32x4.mul(area, v128.load(work));
      const square = f32x4.mul(area, v128.load(work, 16));
      productFront = f64x2.add(productFront, f64x2.promote_low_f32x4(product));
      productBack = f64x2.add(productBack, f64x2.promote_low_f32x4(v128.shuffle<i64>(product, product, 1, 0)));
      squareFront = f64x2.add(squareFront, f64x2.promote_low_f32x4(square));
      squareBack = f64x2.add(squareBack, f64x2.promote_low_f32x4(v128.shuffle<i64>(square, square, 1, 0)));
    }
    const ratioFront = f32x4.demote_f64x2_zero(f64x2.div(productFront, squareFront));
    const ratioBack = f32x4.demote_f64x2_zero(f64x2.div(productBack, squareBack));
    const ratio = v128.shuffle<i64>(ratioFront, ratioBack, 0, 2);
    v128.store(work, v128.bitselect(one, f32x4.mul(best, ratio), empty));
    for (let lane = 0; lane < lanes; lane++) {
      store<f32>(step + (<usize>(first + lane) << 2), load<f32>(work + (<usize>lane << 2)));
    }
  }
}
