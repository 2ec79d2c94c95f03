import { type LinearParams, quantizeLinear } from './linear.ts';
import { type Range, rangeOf } from './range.ts';

/**
 * A tensor as `[outer, length, inner]`, row-major, with one scale for each `block` neighbours along `length`: scales
 * are `[outer, ⌈length / block⌉, inner]`. A matrix `[K, N]` in blocks of 32 along K is `{ outer: 1, length: K, inner:
 * N, block: 32 }`.
 */
export interface BlockLayout {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly block: number;
}

/** One block at every index of `inner`: elements from `start` to `end`, whose first scale has index `scale`. */
interface Rows {
  readonly start: number;
  readonly end: number;
  readonly scale: number;
}

function* rowsOf({ outer, length, inner, block }: BlockLayout): Generator<Rows> {
  let scale = 0;
  for (let line = 0; line < outer; line++) {
    for (let first = 0; first < length; first += block, scale += inner) {
      const start = (line * length + first) * inner;
      yield { start, end: start + Math.min(block, length - first) * inner, scale };
    }
  }
}

/** As `rangeOf` of range.ts, for every block. */
export function rangeOfBlocks(data: Float32Array, layout: BlockLayout): Range | undefined {
  const { outer, length, inner, block } = layout;
  const scales = outer * Math.ceil(length / block) * inner;
  const whole = { min: new Float32Array(scales), max: new Float32Array(scales) };
  for (const { start, end, scale } of rowsOf(layout)) {
    const range = rangeOf(data.subarray(start, end), { outer: (end - start) / inner, channels: inner, inner: 1 });
    if (range === undefined) return undefined;
    whole.min.set(range.min, scale);
    whole.max.set(range.max, scale);
  }
  return whole;
}

/** As `quantizeLinear` of linear.ts, with the scales of blocks: ONNX QuantizeLinear with `block_size`. */
export function quantizeBlocks(data: Float32Array, layout: BlockLayout, params: LinearParams): Uint8Array {
  const { inner } = layout;
  const out = new Uint8Array(data.length);
  for (const { start, end, scale } of rowsOf(layout)) {
    const own = {
      ...params,
      scale: params.scale.subarray(scale, scale + inner),
      zeroPoint: params.zeroPoint.subarray(scale, scale + inner),
    };
    const rows = { outer: (end - start) / inner, channels: inner, inner: 1 };
    out.set(quantizeLinear(data.subarray(start, end), rows, own), start);
  }
  return out;
}
