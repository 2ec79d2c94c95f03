import { byteLengthOf, elementCount } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';

/** Elements from `start` to `end`, exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Elements of each span of a sample: long spans would cover few rows, and short ones need many reads. */
const LENGTH = 1024;

/**
 * A sample of about `most` of `count` elements, in ascending spans of equal length. There is one span in each of as
 * many equal parts, each at another place of its part, so that they do not all begin at the same place of a row.
 * @returns undefined if there are too few elements for a sample to pay
 */
export function sampleOf(count: number, most: number): readonly Span[] | undefined {
  const parts = Math.max(1, Math.floor(most / LENGTH));
  const part = count / parts;
  if (part < 2 * LENGTH) return undefined;
  return Array.from({ length: parts }, (_, index) => {
    // Multiples of the golden ratio spread evenly, whatever their number.
    const place = ((index + 1) * 0.6180339887498949) % 1;
    const start = Math.floor(index * part + place * (part - LENGTH));
    return { start, end: start + LENGTH };
  });
}

/** Converts spans of rows cut to their first `kept` of `length` elements to spans of the whole rows. */
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

/** Elements that share bytes come in groups of this many or a divisor of it, whatever their type. */
const GROUP = 8;

/** Reads spans of a stored tensor, and only these; undefined for a tensor that is computed. */
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

/** Picks the elements of ascending spans out of all elements. */
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
