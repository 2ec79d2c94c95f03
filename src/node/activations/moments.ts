import type { Moments, MomentsRequest } from '../../activations/requests.ts';
import { gramSums, NARROW, type VectorGram, type VectorSums } from './accumulate.ts';
import type { TallyFor } from './tally.ts';
import { type Tools, vectorsOf } from './vectors.ts';

/** Vectors shifted at a time. */
const BLOCK = 512;

/** `E[x]` and `E[x xᵀ]` over enough vectors; undefined if the value's vectors have another length. */
export function momentsTally({ what, source, columns }: MomentsRequest, tools: Tools): TallyFor<MomentsRequest> {
  const own = new MomentSums(columns, what, tools.gram);
  let wrong = false;
  return {
    values: [source.value],
    passes: 1,
    async add({ data, dims, sample }) {
      const blocks = vectorsOf(data, dims, source, columns, tools.enough?.of(columns, sample));
      if (blocks === undefined) wrong = true;
      for (const { rows, weight } of blocks ?? []) await own.add(rows, weight);
    },
    answer: async () => (wrong || own.count === 0 ? undefined : own.moments()),
  };
}

/**
 * Sums of vectors and of their outer products. If ONNX Runtime computes these in float32, the vectors are first shifted
 * by the mean of the first ones: with large means, the covariance would otherwise be lost to rounding.
 */
export class MomentSums {
  /** Number of vectors added. */
  count = 0;
  readonly #size: number;
  readonly #means: Float64Array;
  readonly #products: Float64Array | undefined;
  readonly #gram: VectorSums | undefined;
  readonly #wide: boolean;
  #weight = 0;
  #origin: Float32Array | undefined;
  #moved: Float32Array | undefined;

  /** @param gram - see `openGram`; used for outer products of long vectors */
  constructor(size: number, what: MomentsRequest['what'], gram: VectorGram) {
    this.#size = size;
    this.#means = new Float64Array(size);
    this.#wide = what === 'moments' && size > NARROW;
    if (what === 'moments') {
      const products = new Float64Array(size * size);
      this.#products = products;
      this.#gram = gramSums(() => products, size, 1, gram);
    }
  }

  /**
   * @param rows - consecutive vectors; copied
   * @param weight - number of vectors that each of them represents
   */
  async add(rows: Float32Array, weight: number): Promise<void> {
    const size = this.#size;
    this.count += rows.length / size;
    this.#weight += (weight * rows.length) / size;
    if (this.#wide) this.#origin ??= meanOf(rows, size);
    for (let start = 0; start < rows.length; start += BLOCK * size) {
      const block = this.#distances(rows.subarray(start, start + BLOCK * size));
      for (let at = 0; at < block.length; at += size) {
        for (let i = 0; i < size; i++) {
          this.#means[i] = (this.#means[i] as number) + weight * (block[at + i] as number);
        }
      }
      await this.#gram?.add(block, weight);
    }
  }

  /** The result; nothing can be added afterwards. */
  async moments(): Promise<Moments> {
    await this.#gram?.finish();
    const size = this.#size;
    const weight = this.#weight;
    const origin = this.#origin ?? new Float32Array(size);
    const distance = this.#means.map((one) => one / weight);
    const gram = this.#products;
    for (let i = 0; gram !== undefined && i < size; i++) {
      const [a, d] = [origin[i] as number, distance[i] as number];
      for (let j = 0; j < size; j++) {
        const [b, e] = [origin[j] as number, distance[j] as number];
        gram[i * size + j] = (gram[i * size + j] as number) / weight + a * e + d * b + a * b;
      }
    }
    return { count: this.count, mean: distance.map((one, i) => one + (origin[i] as number)), gram };
  }

  /** The vectors relative to the origin, which is zero for short ones. */
  #distances(block: Float32Array): Float32Array {
    const origin = this.#origin;
    if (origin === undefined) return block;
    const size = this.#size;
    this.#moved ??= new Float32Array(BLOCK * size);
    const moved = this.#moved.subarray(0, block.length);
    for (let at = 0; at < block.length; at += size) {
      for (let i = 0; i < size; i++) moved[at + i] = (block[at + i] as number) - (origin[i] as number);
    }
    return moved;
  }
}

function meanOf(rows: Float32Array, size: number): Float32Array {
  const sums = new Float64Array(size);
  for (let at = 0; at < rows.length; at += size) {
    for (let i = 0; i < size; i++) sums[i] = (sums[i] as number) + (rows[at + i] as number);
  }
  return Float32Array.from(sums, (one) => one / (rows.length / size));
}
