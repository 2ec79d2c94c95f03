import type { Vectors } from '../../activations/requests.ts';
import { patches } from '../../kernels/importance/patches.ts';
import { enoughVectors, type Share } from '../../kernels/importance/share.ts';
import { axisVectors, type VectorBlock } from '../../kernels/importance/vectors.ts';
import type { VectorGram } from './accumulate.ts';

/**
 * The vectors of one tensor that a layer reads.
 * @param data - its elements, one or more
 * @param columns - elements of a vector
 * @param share - which of them; all if omitted
 * @returns undefined for other dims than the layer's
 */
export function vectorsOf(
  data: Float32Array,
  dims: readonly number[],
  reading: Vectors,
  columns: number,
  share: Share | undefined,
): Iterable<VectorBlock> | undefined {
  if (reading.kind === 'matrix') {
    // A vector alone is what it is along any axis.
    const axis = dims.length === 1 ? 0 : reading.axis < 0 ? reading.axis + dims.length : reading.axis;
    return dims[axis] === columns ? axisVectors(data, dims, axis, share) : undefined;
  }
  const { kernel, groups } = reading.geometry;
  const channels = (columns / kernel.reduce((a, b) => a * b, 1)) * groups;
  const fits = dims.length === kernel.length + 2 && dims[1] === channels;
  return fits ? patches(data, dims, reading.geometry, share) : undefined;
}

/** How many vectors of each sample are enough for a layer: as many of one as of another. */
export class Enough {
  readonly #samples: number;
  readonly #enough: (columns: number) => number;

  constructor(samples: number, enough: (columns: number) => number = enoughVectors) {
    this.#samples = samples;
    this.#enough = enough;
  }

  /** @param sample - which one it is */
  of(columns: number, sample: number): Share {
    return { most: Math.max(1, Math.floor(this.#enough(columns) / this.#samples)), seed: sample };
  }
}

/** What tallies of vectors share. */
export interface Tools {
  readonly gram: VectorGram;
  /** Absent where no request may leave vectors out. */
  readonly enough: Enough | undefined;
  /** Zeros: new ones if omitted. */
  readonly zeros?: (length: number) => Float64Array;
}
