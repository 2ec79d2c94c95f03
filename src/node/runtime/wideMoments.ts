import { gramSums, type Sums } from './accumulate.ts';
import type { Session } from './session.ts';

/** Vectors that are moved at a time. */
const BLOCK = 512;

/**
 * Sums of long vectors and of their outer products, which ONNX Runtime multiplies in float32. What is summed are distances
 * from the mean of the first vectors: a covariance is what is left of large means otherwise.
 */
export class WideMoments {
  readonly #size: number;
  readonly #products: Float64Array;
  readonly #gram: Sums;
  readonly #sums: Float64Array;
  readonly #moved: Float32Array;
  #origin: Float32Array | undefined;

  /** @param gram - see `openGram` */
  constructor(size: number, gram: Session) {
    this.#size = size;
    this.#products = new Float64Array(size * size);
    this.#gram = gramSums(this.#products, size, 1, gram);
    this.#sums = new Float64Array(size);
    this.#moved = new Float32Array(BLOCK * size);
  }

  /** How many vectors were added. */
  get count(): number {
    return this.#gram.rows;
  }

  /**
   * @param rows - one vector after the other; copied
   * @param weight - how many each of them stands for
   */
  async add(rows: Float32Array, weight: number): Promise<void> {
    const size = this.#size;
    this.#origin ??= meanOf(rows, size);
    const origin = this.#origin;
    for (let start = 0; start < rows.length; start += BLOCK * size) {
      const block = rows.subarray(start, start + BLOCK * size);
      const moved = this.#moved.subarray(0, block.length);
      for (let at = 0; at < block.length; at += size) {
        for (let i = 0; i < size; i++) {
          const distance = Math.fround((block[at + i] as number) - (origin[i] as number));
          moved[at + i] = distance;
          this.#sums[i] = (this.#sums[i] as number) + weight * distance;
        }
      }
      await this.#gram.add(moved, weight);
    }
  }

  /** `E[x]` and `E[x·xᵀ]`. Nothing can be added any more. */
  async moments(): Promise<{ readonly count: number; readonly mean: Float64Array; readonly gram: Float64Array }> {
    await this.#gram.finish();
    const size = this.#size;
    const weight = this.#gram.of;
    const origin = this.#origin ?? new Float32Array(size);
    const distance = this.#sums.map((one) => one / weight);
    const gram = this.#products;
    for (let i = 0; i < size; i++) {
      const [a, d] = [origin[i] as number, distance[i] as number];
      for (let j = 0; j < size; j++) {
        const [b, e] = [origin[j] as number, distance[j] as number];
        gram[i * size + j] = (gram[i * size + j] as number) / weight + a * e + d * b + a * b;
      }
    }
    return { count: this.count, mean: distance.map((one, i) => one + (origin[i] as number)), gram };
  }
}

function meanOf(rows: Float32Array, size: number): Float32Array {
  const sums = new Float64Array(size);
  for (let at = 0; at < rows.length; at += size) {
    for (let i = 0; i < size; i++) sums[i] = (sums[i] as number) + (rows[at + i] as number);
  }
  return Float32Array.from(sums, (one) => one / (rows.length / size));
}
