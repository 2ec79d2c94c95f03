import { descendColumns, type FloatView, STRIP, takenBy } from '../columns.ts';
import type { Run } from '../passOn.ts';
import { addProduct, type Product, type Products, whole } from '../products.ts';
import type { Hessian } from './hessian.ts';
import { columnCodes, type Ordered, type Residual } from './part.ts';

/** Inputs whose changes are told to all others together. */
const SPAN = 512;

/** Where less than one code in so many changes, the product of the changes is sooner done here than elsewhere. */
const FEW = 512;

/**
 * Coordinate descent: gives each weight the code that is best while all others stay, input after input, and that over
 * again. It costs less with each change.
 *
 * With all others as they are, the cost is least where a weight is `q + (H·lost)[i] / H[i][i]`; the nearest code to
 * that is taken. A weight that is exactly 0 stays 0.
 *
 * @param residual - of the part; kept up to date
 * @see Behdin et al.: QuantEase, arXiv 2309.01885, algorithm 2
 */
export function* descend(
  own: Ordered,
  residual: Residual,
  { ordered: matrix }: Pick<Hessian, 'ordered'>,
  passes: number,
): Products<void> {
  const { rows, inputs } = own;
  const pull = whole(residual.pull, inputs);
  const stride = Math.min(SPAN, inputs);
  const changes = whole(new Float32Array(rows * stride), stride);
  const around = (start: number, width: number): Run => ({ start, end: Math.min(start + width, inputs) });
  for (let pass = 0; pass < passes; pass++) {
    let changed = 0;
    for (let first = 0; first < inputs; first += SPAN) {
      const span = around(first, SPAN);
      // What the columns of `from` ask of those of `to`.
      const ask = (count: number, from: Run, to: Run): Products<void> =>
        told(count, {
          into: { ...pull, at: to.start },
          left: { ...changes, at: from.start - first },
          right: { data: matrix, at: from.start * inputs + to.start, stride: inputs },
          ...{ rows, depth: from.end - from.start, columns: to.end - to.start, sign: -1 },
        });
      let inSpan = 0;
      for (let start = first; start < span.end; start += STRIP) {
        const strip = around(start, STRIP);
        const count = descendStrip(own, residual, matrix, strip, { ...changes, at: start - first });
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
function* told(count: number, product: Product): Products<void> {
  if (count === 0 || product.columns === 0) return;
  if (count * FEW < product.rows * product.depth) addProduct(product);
  else yield product;
}

/**
 * The inputs of one strip, which hear of each other's changes at once.
 * @param changes - `[rows, strip]`: what the codes stand for more
 * @returns how many there are
 */
function descendStrip(
  own: Ordered,
  { lost, pull }: Residual,
  matrix: Float32Array,
  strip: Run,
  changes: FloatView,
): number {
  const { rows, inputs } = own;
  const columns = { rows, width: strip.end - strip.start, factor: takenBy(matrix, inputs, strip) };
  const count = descendColumns(
    columns,
    { data: pull, at: strip.start, stride: inputs },
    changes,
    columnCodes(own, strip.start),
  );
  for (let row = 0; count > 0 && row < rows; row++) {
    const from = changes.at + row * changes.stride - strip.start;
    for (let at = strip.start; at < strip.end; at++) {
      const to = row * inputs + at;
      lost[to] = (lost[to] as number) - (changes.data[from + at] as number);
    }
  }
  return count;
}
