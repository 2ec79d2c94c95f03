import { type Share, shareOf } from './share.ts';

/** Vectors one after the other, of one group of channels. */
export interface VectorBlock {
  readonly group: number;
  /** May be overwritten once the next block is asked for. */
  readonly rows: Float32Array;
  /** How many vectors of the tensor each of them stands for: 1 where all are there. */
  readonly weight: number;
}

/** Vectors that are gathered at a time. */
const BLOCK = 512;

/**
 * The vectors along an axis of a tensor.
 * @param axis - from 0
 * @param share - which of them are wanted; all if omitted
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
    // Neighbours lie beside each other at each place of the axis.
    for (let place = 0; place < size; place++) {
      for (let one = 0; one < filled; one++) {
        rows[one * size + place] = data[(bases[one] as number) + place * inner] as number;
      }
    }
    yield { group: 0, rows: rows.subarray(0, filled * size), weight };
  }
}
