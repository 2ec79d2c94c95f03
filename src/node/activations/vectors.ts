import type { Vectors } from '../../activations/requests.ts';
import { patches } from '../../kernels/importance/patches.ts';
import { enoughVectors, type Share } from '../../kernels/importance/share.ts';
import { axisVectors, type VectorBlock } from '../../kernels/importance/vectors.ts';
import type { VectorGram } from './accumulate.ts';

/**
 * The vectors of one tensor that a layer reads.
 * @param data - its elements, one or more
 * @param columns - elements of a vector
 * @param share - the vectors to include; all if omitted
 * @returns undefined if the dims do not match the layer
 */
export function vectorsOf(
  data: Float32Array,
  dims: readonly number[],
  reading: Vectors,
  columns: number,
  share: Share | undefined,
): Iterable<VectorBlock> | undefined {
  if (reading.kind === 'matrix') {
    // A tensor of rank 1 is one vector, whatever the axis.
    const axis = dims.length === 1 ? 0 : reading.axis < 0 ? reading.axis + dims.length : reading.axis;
    return dims[axis] === columns ? axisVectors(data, dims, axis, share) : undefined;
  }
  const { kernel, groups } = reading.geometry;
  const channels = (columns / kernel.reduce((a, b) => a * b, 1)) * groups;
  const fits = dims.length === kernel.length + 2 && dims[1] === channels;
  return fits ? patches(data, dims, reading.geometry, share) : undefined;
}

/** The number of vectors per sample that is enough for a layer, the same for every sample. */
export class Enough {
  readonly #samples: number;
  readonly #enough: (columns: number) => number;

  constructor(samples: number, enough: (columns: number) => number = enoughVectors) {
    this.#samples = samples;
    this.#enough = enough;
  }

  /** @param sample - its index */
  of(columns: number, sample: number): Share {
    return { most: Math.max(1, Math.floor(this.#enough(columns) / this.#samples)), seed: sample };
  }
}

/** Parameters shared by tallies of vectors. */
export interface Tools {
  readonly gram: VectorGram;
  /** Absent if no request may skip vectors. */
  readonly enough: Enough | undefined;
  /** Returns an array of zeros; a new one if omitted. */
  readonly zeros?: (length: number) => Float64Array;
}
