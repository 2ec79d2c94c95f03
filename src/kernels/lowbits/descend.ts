import { descendColumns, STRIP } from '../columns.ts';
import type { Run } from '../passOn.ts';
import { type Product, type Products, whole } from '../products.ts';
import type { Hessian } from './hessian.ts';
import { columnCodes, type Ordered, SPAN } from './part.ts';

/**
 * Coordinate descent: gives each weight its best code while all others stay fixed, input by input, in several passes.
 * Every change lowers the cost.
 *
 * With all others fixed, the cost is minimal for the weight `q + (H·lost)[i] / H[i][i]`; the nearest code to it is
 * taken. A weight that is exactly 0 stays 0.
 *
 * @param own - with its pull, which is kept up to date
 * @see Behdin et al.: QuantEase, arXiv 2309.01885, algorithm 2
 */
export function* descend(own: Ordered, { ordered: matrix }: Pick<Hessian, 'ordered'>, passes: number): Products<void> {
  const { rows, inputs } = own;
  const pull = whole(own.pull, rows);
  const changes = whole(own.errors, rows);
  const around = (start: number, width: number): Run => ({ start, end: Math.min(start + width, inputs) });
  for (let pass = 0; pass < passes; pass++) {
    let changed = 0;
    for (let first = 0; first < inputs; first += SPAN) {
      const span = around(first, SPAN);
      // What the columns of `from` ask of those of `to`.
      const ask = (count: number, from: Run, to: Run): Products<void> =>
        reported(count, {
          into: { ...pull, at: to.start * rows },
          left: { data: matrix, at: to.start * inputs + from.start, stride: inputs },
          right: { ...changes, at: (from.start - first) * rows },
          ...{ rows: to.end - to.start, depth: from.end - from.start, columns: rows, sign: -1 },
        });
      let inSpan = 0;
      for (let start = first; start < span.end; start += STRIP) {
        const strip = around(start, STRIP);
        const columns = {
          rows,
          width: strip.end - start,
          factor: { data: matrix, at: start * (inputs + 1), stride: inputs },
        };
        const asked = { ...pull, at: start * rows };
        const count = descendColumns(
          columns,
          asked,
          { ...changes, at: (start - first) * rows },
          columnCodes(own, start),
        );
        inSpan += count;
        yield* ask(count, strip, span);
      }
      changed += inSpan;
      yield* ask(inSpan, span, { start: 0, end: first });
      yield* ask(inSpan, span, { start: span.end, end: inputs });
    }
    if (changed === 0) return;
  }
}

/** A product with `count` factors that are not 0. */
function* reported(count: number, product: Product): Products<void> {
  if (count > 0 && product.rows > 0) yield product;
}
