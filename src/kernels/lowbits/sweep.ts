import { STRIP, sweepColumns } from '../columns.ts';
import type { Block, Lower } from '../lower.ts';
import { passOn, type Run } from '../passOn.ts';
import { type Products, whole } from '../products.ts';
import { columnCodes, type Ordered, SPAN } from './part.ts';

/** The blocks of the factor that {@link sweep} reads. */
export function factorBlocks(inputs: number): Block[] {
  const blocks: Block[] = [];
  for (let first = 0; first < inputs; first += SPAN) {
    const last = Math.min(first + SPAN, inputs);
    for (let start = first; start < last; start += STRIP) {
      const end = Math.min(start + STRIP, last);
      const [column, row] = [end < last ? start : first, end];
      blocks.push({ row: start, rows: end - start, column: start, columns: end - start });
      if (end < inputs) blocks.push({ row, rows: (end < last ? last : inputs) - end, column, columns: end - column });
    }
  }
  return blocks;
}

/** Sums over the inputs, by row. */
export interface Swept {
  /**
   * The cost of the codes, `(w − q) H (w − q)ᵀ`. `W − Q = ELᵀ` with the errors E, so it is the sum of their squares.
   */
  readonly costs: Float64Array;
  /** The sums of the errors times {@link SweepOptions.beside}; the costs without it. */
  readonly products: Float64Array;
}

export interface SweepOptions {
  /** Errors to multiply those of this sweep with: `[inputs, rows]`. */
  readonly beside?: Float32Array | undefined;
  /** Receives all errors: `[inputs, rows]`. */
  readonly keep?: Float32Array | undefined;
}

/**
 * GPTQ: chooses codes input by input; the inputs that follow compensate the error.
 *
 * With `H⁻¹ = LLᵀ`, L lower triangular, storing a weight as q instead of w changes each later one by `w[j] −= (w − q) /
 * L[i][i] · L[j][i]`. Scales and zero points stay as they are, whatever the order of the inputs. A weight that is
 * exactly 0 stays 0, and passes on the error it should have compensated.
 *
 * @see Frantar, Ashkboos, Hoefler, Alistarh: GPTQ, arXiv 2210.17323, algorithm 1
 */
export function* sweep(
  own: Ordered,
  { factor }: { readonly factor: Lower },
  { beside, keep }: SweepOptions = {},
): Products<Swept> {
  const { rows, inputs } = own;
  own.spare.set(own.weight);
  const wanted = whole(own.spare, rows);
  const swept = { costs: new Float64Array(rows), products: new Float64Array(rows) };
  const errors = whole(own.errors, rows);
  const around = (start: number, width: number): Run => ({ start, end: Math.min(start + width, inputs) });
  for (let first = 0; first < inputs; first += SPAN) {
    const span = around(first, SPAN);
    const sums = { rows, matrix: wanted, factor, errors, first };
    for (let start = first; start < span.end; start += STRIP) {
      const strip = around(start, STRIP);
      const columns = { rows, width: strip.end - start, factor: factor.block(start, start) };
      const [at, to] = [start * rows, (start - first) * rows];
      sweepColumns(columns, { ...wanted, at }, { ...errors, at: to }, columnCodes(own, start));
      yield* passOn(strip, [span, around(0, inputs)], sums);
    }
    const made = errors.data.subarray(0, (span.end - first) * rows);
    addProducts(swept, made, beside?.subarray(first * rows, span.end * rows) ?? made);
    keep?.set(made, first * rows);
  }
  return swept;
}

/** Adds the squares of errors `[inputs, rows]`, and their products with `beside`, to the sums of each row. */
function addProducts({ costs, products }: Swept, made: Float32Array, beside: Float32Array): void {
  const rows = costs.length;
  let at = 0;
  // Four inputs at once, added one after the other: the sums are read and written a quarter as often.
  for (; at + 3 * rows < made.length; at += 4 * rows) {
    for (let row = 0, p = at; row < rows; row++, p++) {
      const q = p + rows;
      const r = q + rows;
      const s = r + rows;
      const w = made[p] as number;
      const x = made[q] as number;
      const y = made[r] as number;
      const z = made[s] as number;
      costs[row] = (costs[row] as number) + w * w + x * x + y * y + z * z;
      products[row] =
        (products[row] as number) +
        w * (beside[p] as number) +
        x * (beside[q] as number) +
        y * (beside[r] as number) +
        z * (beside[s] as number);
    }
  }
  for (; at < made.length; at += rows) {
    for (let row = 0; row < rows; row++) {
      const one = made[at + row] as number;
      costs[row] = (costs[row] as number) + one * one;
      products[row] = (products[row] as number) + one * (beside[at + row] as number);
    }
  }
}
