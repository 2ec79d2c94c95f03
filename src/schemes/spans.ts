import { byteLengthOf, elementCount } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';

/** Elements from `start` up to `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Elements of a span of a sample: few spans would be of few rows, and short ones are many reads. */
const LENGTH = 1024;

/**
 * A sample of about `most` elements of `count`, in spans of equal length that ascend: one in each of as many equal
 * parts, each at another place of its part, so that they do not all begin at the same place of a row.
 * @returns undefined where there are not so many more that a sample pays
 */
export function sampleOf(count: number, most: number): readonly Span[] | undefined {
  const parts = Math.max(1, Math.floor(most / LENGTH));
  const part = count / parts;
  if (part < 2 * LENGTH) return undefined;
  return Array.from({ length: parts }, (_, index) => {
    // Multiples of the golden ratio spread evenly, however many there are.
    const place = ((index + 1) * 0.6180339887498949) % 1;
    const start = Math.floor(index * part + place * (part - LENGTH));
    return { start, end: start + LENGTH };
  });
}

/** Spans of rows that are cut to their first `kept` of `length` elements, as spans of the whole rows. */
export function spansOfRows(spans: readonly Span[], length: number, kept: number): readonly Span[] {
  if (kept === length) return spans;
  return spans.flatMap(({ start, end }) => {
    const pieces: Span[] = [];
    for (let at = start; at < end; ) {
      const column = at % kept;
      const some = Math.min(end - at, kept - column);
      const from = Math.floor(at / kept) * length + column;
      pieces.push({ start: from, end: from + some });
      at += some;
    }
    return pieces;
  });
}

/** Elements that share bytes, whatever their type, come in groups of so many or of a divisor. */
const GROUP = 8;

/** Reads spans of a tensor whose bytes lie somewhere, and no others; undefined of one that is computed. */
export function spanReader(
  { stored, dtype, dims, byteLength }: Tensor,
  toFloats: (bytes: Uint8Array) => Float32Array,
): ((span: Span) => Promise<Float32Array>) | undefined {
  if (stored === undefined || stored.byteLength !== byteLength) return undefined;
  const count = elementCount(dims);
  return async ({ start, end }) => {
    const from = start - (start % GROUP);
    const to = Math.min(count, Math.ceil(end / GROUP) * GROUP);
    const bytes = new Uint8Array(byteLengthOf(dtype, to - from));
    await stored.readInto(bytes, byteLengthOf(dtype, from));
    return toFloats(bytes).subarray(start - from, end - from);
  };
}

/** The elements of spans that ascend, out of all of them. */
export async function* picked(
  all: AsyncIterable<Float32Array>,
  spans: readonly Span[],
): AsyncGenerator<Float32Array, void, void> {
  let [at, next] = [0, 0];
  for await (const chunk of all) {
    const end = at + chunk.length;
    for (let span = spans[next]; span !== undefined && span.start < end; span = spans[next]) {
      yield chunk.subarray(Math.max(0, span.start - at), span.end - at);
      if (span.end > end) break;
      next++;
    }
    if (next === spans.length) return;
    at = end;
  }
}
