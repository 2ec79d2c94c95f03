import { transpose } from '../../kernels/layout.ts';
import type { Session } from '../runtime/session.ts';
import { addGemm, openGemm } from './gemm.ts';

/** Rows of a panel: enough for an efficient product, few enough to skip nearly everything left of the diagonal. */
const SIDE = 256;

/**
 * A session for {@link GramPanels}.
 * @throws CompressError `runtime`
 */
export function openGram(): Promise<Session> {
  return openGemm({ dtype: 'float32', sign: 1, transB: true });
}

/** Some rows of a square matrix, from the diagonal of the first one on. */
interface Panel {
  readonly start: number;
  readonly rows: number;
  readonly data: Float32Array;
}

/**
 * `Σ x xᵀ` in float32, summed by ONNX Runtime in panels that start at their diagonal. The matrix is symmetric, so the
 * part left of it is not needed: this halves multiplications and memory.
 */
export class GramPanels {
  readonly #columns: number;
  readonly #panels: readonly Panel[];
  #transposed: Float32Array | undefined;

  constructor(columns: number) {
    this.#columns = columns;
    const starts = Array.from({ length: Math.ceil(columns / SIDE) }, (_, index) => index * SIDE);
    this.#panels = starts.map((start) => {
      const rows = Math.min(SIDE, columns - start);
      return { start, rows, data: new Float32Array(rows * (columns - start)) };
    });
  }

  /** @param vectors - consecutive vectors, no more than on the first call */
  async add(vectors: Float32Array, session: Session): Promise<void> {
    const columns = this.#columns;
    const count = vectors.length / columns;
    this.#transposed ??= new Float32Array(vectors.length);
    const transposed = transpose(vectors, count, columns, this.#transposed);
    const from = (column: number, length: number): Float32Array =>
      transposed.subarray(column * count, (column + length) * count);
    for (const { start, rows, data } of this.#panels) {
      const width = columns - start;
      await addGemm(
        session,
        { data, rows, columns: width },
        { data: from(start, rows), rows, columns: count },
        { data: from(start, width), rows: width, columns: count },
      );
    }
  }

  /** Adds the diagonal and everything right of it to the sums `[columns, columns]`, and resets to 0. */
  moveTo(sums: Float64Array, factor: number): void {
    const columns = this.#columns;
    for (const { start, rows, data } of this.#panels) {
      for (let row = 0; row < rows; row++) {
        const to = (start + row) * columns + start;
        const from = row * (columns - start);
        for (let at = row; at < columns - start; at++) {
          sums[to + at] = (sums[to + at] as number) + factor * (data[from + at] as number);
        }
      }
      data.fill(0);
    }
  }
}
