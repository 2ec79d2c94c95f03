import { transpose } from '../../kernels/layout.ts';
import type { Session } from '../runtime/session.ts';
import { addGemm, openGemm } from './gemm.ts';

/** Rows of a panel: enough for a product to pay, few enough to leave out nearly all that is left of the diagonal. */
const SIDE = 256;

/**
 * A session for {@link GramPanels}.
 * @throws CompressError `runtime`
 */
export function openGram(): Promise<Session> {
  return openGemm({ dtype: 'float32', sign: 1, transB: true });
}

/** Some rows of a square matrix, without what is left of the first one's diagonal. */
interface Panel {
  readonly start: number;
  readonly rows: number;
  readonly data: Float32Array;
}

/**
 * `Σ x xᵀ` in float32 as ONNX Runtime adds it up: as panels, each of which begins at its diagonal. What is left of that
 * is the same as above it, so that half of the multiplications are enough, and half of the memory.
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

  /** @param vectors - one after the other, no more of them than the first time */
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

  /** Adds what is right of the diagonal, and the diagonal, to the sums `[columns, columns]`, and begins again at 0. */
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
