import { type Share, shareOf } from './share.ts';

/** Consecutive vectors of one group of channels. */
export interface VectorBlock {
  readonly group: number;
  /** May be overwritten when the next block is requested. */
  readonly rows: Float32Array;
  /** Number of vectors of the tensor that each of them represents; 1 if all are included. */
  readonly weight: number;
}

/** Vectors gathered at a time. */
const BLOCK = 512;

/**
 * The vectors along an axis of a tensor.
 * @param axis - from 0
 * @param share - the vectors to include; all if omitted
 */
export function* axisVectors(
  data: Float32Array,
  dims: readonly number[],
  axis: number,
  share?: Share,
): Generator<VectorBlock> {
  const size = dims[axis] ?? 0;
  if (size === 0 || data.length === 0) return;
  const inner = dims.slice(axis + 1).reduce((all, one) => all * one, 1);
  const { count, at, weight } = shareOf(data.length / size, share);
  if (inner === 1 && weight === 1) {
    yield { group: 0, rows: data, weight };
    return;
  }
  const block = Math.min(count, BLOCK);
  const rows = new Float32Array(block * size);
  const bases = new Float64Array(block);
  for (let start = 0; start < count; start += block) {
    const filled = Math.min(block, count - start);
    for (let one = 0; one < filled; one++) {
      const index = at(start + one);
      bases[one] = Math.floor(index / inner) * size * inner + (index % inner);
    }
    // At each index of the axis, elements of neighbouring vectors are contiguous.
    for (let place = 0; place < size; place++) {
      for (let one = 0; one < filled; one++) {
        rows[one * size + place] = data[(bases[one] as number) + place * inner] as number;
      }
    }
    yield { group: 0, rows: rows.subarray(0, filled * size), weight };
  }
}
