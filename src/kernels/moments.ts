import { addGram, mirror } from './importance/gram.ts';

/** Vectors that are multiplied together: they stay in the second-level cache. */
const ROWS = 32;

/** Sums of vectors and of their outer products. */
export class MomentSums {
  readonly size: number;
  /** How many vectors were added. */
  count = 0;
  readonly #sums: Float64Array;
  readonly #products: Float64Array | undefined;
  #weight = 0;

  /** @param what - `gram`: outer products too, `size²` numbers; `means`: sums alone */
  constructor(size: number, what: 'means' | 'gram') {
    this.size = size;
    this.#sums = new Float64Array(size);
    this.#products = what === 'gram' ? new Float64Array(size * size) : undefined;
  }

  /**
   * @param rows - one vector after the other
   * @param weight - how many each of them stands for
   */
  add(rows: Float32Array, weight: number): void {
    const { size } = this;
    this.count += rows.length / size;
    this.#weight += (weight * rows.length) / size;
    for (let at = 0; at < rows.length; at += size) {
      for (let i = 0; i < size; i++) this.#sums[i] = (this.#sums[i] as number) + weight * (rows[at + i] as number);
    }
    if (this.#products === undefined) return;
    for (let at = 0; at < rows.length; at += ROWS * size) {
      addGram(this.#products, rows.subarray(at, at + ROWS * size), size, weight);
    }
  }

  /** `E[x]` and `E[x·xᵀ]`. Nothing can be added any more. */
  moments(): { readonly count: number; readonly mean: Float64Array; readonly gram: Float64Array | undefined } {
    const weight = this.#weight;
    const gram = this.#products;
    for (let index = 0; gram !== undefined && index < gram.length; index++) {
      gram[index] = (gram[index] as number) / weight;
    }
    if (gram !== undefined) mirror(gram, this.size);
    return { count: this.count, mean: this.#sums.map((one) => one / weight), gram };
  }
}
