import { chunksOf } from '../compute/chunks.ts';
import { bitsOf, elementCount, type FloatDType, isFloat } from '../ir/dtype.ts';
import { piecewise, type Tensor } from '../ir/tensor.ts';
import { fromFloat32 } from '../kernels/rounded.ts';
import { toFloat32 } from '../kernels/views.ts';
import { unpacked } from './packed.ts';
import { picked, type Span, spanReader, spansOfRows } from './spans.ts';

/** Elements read at a time: a multiple of every packing. */
const ELEMENTS: number = 1 << 17;

/** Reads a tensor as real numbers, about {@link ELEMENTS} at a time. */
export interface Reals {
  (): AsyncIterable<Float32Array>;
  /** Reads only the given spans, which ascend; absent if that would mean reading the rest too. */
  readonly spans?: ((spans: readonly Span[]) => AsyncIterable<Float32Array>) | undefined;
}

/** Real numbers whose spans can be read separately. */
export function withSpans(all: () => AsyncIterable<Float32Array>, spans: Reals['spans']): Reals {
  return Object.assign(() => all(), { spans });
}

/** The numbers of all spans in one array. */
export async function spansOf(reals: Reals, spans: readonly Span[]): Promise<Float32Array> {
  const all = new Float32Array(spans.reduce((sum, { start, end }) => sum + end - start, 0));
  let at = 0;
  for await (const some of reals.spans?.(spans) ?? picked(reals(), spans)) {
    all.set(some, at);
    at += some.length;
  }
  return all;
}

/** Each number times a factor. */
export function scaledReals(reals: Reals, factor: number): Reals {
  async function* scaled(chunks: AsyncIterable<Float32Array>): AsyncGenerator<Float32Array, void, void> {
    for await (const chunk of chunks) yield chunk.map((value) => value * factor);
  }
  const { spans } = reals;
  return withSpans(() => scaled(reals()), spans && ((some) => scaled(spans(some))));
}

/** The elements of a float tensor; undefined for other types. */
export function realsOf(tensor: Tensor): Reals | undefined {
  const toFloats = isFloat(tensor.dtype) ? reader(tensor) : undefined;
  if (toFloats === undefined) return undefined;
  const read = spanReader(tensor, toFloats);
  return withSpans(
    () => mapped(tensor, toFloats),
    read &&
      async function* (spans) {
        for (const span of spans) yield read(span);
      },
  );
}

/** A float tensor of such numbers, computed in chunks. */
export function floatTensor(name: string, dtype: FloatDType, dims: readonly number[], reals: Reals): Tensor {
  return piecewise(name, dtype, dims, async function* () {
    for await (const chunk of reals()) {
      const { buffer, byteOffset, byteLength } = fromFloat32(chunk, dtype);
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
  });
}

/** The chunks of a tensor, each turned into numbers. */
export async function* mapped(
  tensor: Tensor,
  toFloats: (bytes: Uint8Array) => Float32Array,
): AsyncGenerator<Float32Array, void, void> {
  for await (const chunk of chunksOf(tensor, (ELEMENTS * bitsOf(tensor.dtype)) / 8)) yield toFloats(chunk);
}

/** Columns transposed at a time. */
const COLUMNS = 64;

/** The first `kept` elements of each row of `length`. */
export function cutRows(reals: Reals, length: number, kept: number): Reals {
  if (kept === length) return reals;
  const { spans } = reals;
  async function* cut(): AsyncGenerator<Float32Array, void, void> {
    let at = 0;
    for await (const chunk of reals()) {
      const out = new Float32Array(chunk.length);
      let filled = 0;
      for (const value of chunk) {
        if (at < kept) out[filled++] = value;
        at = at + 1 === length ? 0 : at + 1;
      }
      yield out.subarray(0, filled);
    }
  }
  return withSpans(cut, spans && ((some) => spans(spansOfRows(some, length, kept))));
}

/**
 * One or more matrices with the last two axes swapped. A column is spread over all bytes of a matrix, so all of them
 * are in memory meanwhile.
 * @param load - returns a function that reads `length` elements from `start` on
 * @param kept - how many columns to keep; the others are padding
 */
export function swapped(
  dims: readonly number[],
  load: () => Promise<(start: number, length: number) => Float32Array>,
  kept: number = dims.at(-1) ?? 0,
): Reals {
  const [rows, columns] = dims.slice(-2) as [number, number];
  async function* all(): AsyncGenerator<Float32Array, void, void> {
    const total = elementCount(dims);
    if (total === 0) return;
    const read = await load();
    for (let base = 0; base < total; base += rows * columns) {
      for (let first = 0; first < kept; first += COLUMNS) {
        const width = Math.min(COLUMNS, kept - first);
        const out = new Float32Array(width * rows);
        for (let row = 0; row < rows; row++) {
          const values = read(base + row * columns + first, width);
          for (let at = 0; at < width; at++) out[at * rows + row] = values[at] as number;
        }
        yield out;
      }
    }
  }
  return withSpans(all, async function* (spans) {
    const read = await load();
    for (const { start, end } of spans) {
      const out = new Float32Array(end - start);
      for (let at = start; at < end; at++) {
        const column = Math.floor(at / rows);
        const base = Math.floor(column / kept) * rows * columns;
        const [value] = read(base + (at % rows) * columns + (column % kept), 1);
        out[at - start] = value as number;
      }
      yield out;
    }
  });
}

/** Numbers that can only be read in order, with the last two axes swapped: all of them are in memory meanwhile. */
export function swappedOf(dims: readonly number[], reals: Reals): Reals {
  return swapped(dims, async () => {
    const all = new Float32Array(elementCount(dims));
    let at = 0;
    for await (const chunk of reals()) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return (start, length) => all.subarray(start, start + length);
  });
}

/** A float tensor with its last two axes swapped. */
export function swappedReals(tensor: Tensor): Reals | undefined {
  const toFloats = isFloat(tensor.dtype) ? reader(tensor) : undefined;
  if (toFloats === undefined) return undefined;
  return swapped(tensor.dims, async () => {
    const values = toFloats(await tensor.load());
    return (start, length) => values.subarray(start, start + length);
  });
}

/** How to read a chunk of a tensor of floats or 8-bit integers as float32. */
export function reader({ dtype }: Pick<Tensor, 'dtype'>): ((bytes: Uint8Array) => Float32Array) | undefined {
  if (isFloat(dtype)) return (bytes) => toFloat32(bytes, dtype);
  return dtype === 'uint8' || dtype === 'int8' ? (bytes) => unpacked(bytes, dtype) : undefined;
}
