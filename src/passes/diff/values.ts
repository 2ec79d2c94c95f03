import { equalBytes } from '../../bytes/bytes.ts';
import { chunksOf } from '../../compute/chunks.ts';
import { bitsOf, elementCount, isFloat } from '../../ir/dtype.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { type Difference, DifferenceOf } from '../../kernels/difference.ts';
import { reader } from '../inspect/measure.ts';

/** Elements looked at together: a multiple of every packing. */
const ELEMENTS: number = 1 << 17;

/** Whether two tensors hold the same bytes; of those that do not, no more is read than up to the first difference. */
export async function sameBytes(before: Tensor, after: Tensor): Promise<boolean> {
  if (before === after) return true;
  if (before.byteLength !== after.byteLength) return false;
  const [one, other] = [chunksOf(before), chunksOf(after)];
  try {
    for (;;) {
      const [a, b] = await Promise.all([one.next(), other.next()]);
      if (a.done || b.done) return a.done === b.done;
      if (!equalBytes(a.value, b.value)) return false;
    }
  } finally {
    await Promise.all([one.return(), other.return()]);
  }
}

/** A tensor as real numbers, some {@link ELEMENTS} at a time. */
export type Reals = () => AsyncIterable<Float32Array>;

/** The elements of a float tensor; undefined for other types. */
export function realsOf(tensor: Tensor): Reals | undefined {
  const toFloats = isFloat(tensor.dtype) ? reader(tensor) : undefined;
  return toFloats && (() => mapped(tensor, toFloats));
}

/** The chunks of a tensor, each turned into numbers. */
export async function* mapped(
  tensor: Tensor,
  toFloats: (bytes: Uint8Array) => Float32Array,
): AsyncGenerator<Float32Array, void, void> {
  for await (const chunk of chunksOf(tensor, (ELEMENTS * bitsOf(tensor.dtype)) / 8)) yield toFloats(chunk);
}

/** Compares two tensors of as many elements, both read once, side by side. */
export async function difference(before: Reals, after: Reals): Promise<Difference> {
  const found = new DifferenceOf();
  const [one, other] = [before()[Symbol.asyncIterator](), after()[Symbol.asyncIterator]()];
  let [a, b] = [new Float32Array(0), new Float32Array(0)];
  try {
    for (;;) {
      if (a.length === 0) a = (await one.next()).value ?? a;
      if (b.length === 0) b = (await other.next()).value ?? b;
      const length = Math.min(a.length, b.length);
      if (length === 0) return found.done();
      found.add(a.subarray(0, length), b.subarray(0, length));
      [a, b] = [a.subarray(length), b.subarray(length)];
    }
  } finally {
    await Promise.all([one.return?.(), other.return?.()]);
  }
}

/** Columns turned at a time. */
const COLUMNS = 64;

/**
 * A matrix, or several, with the last two axes swapped. A column lies all over the bytes of a matrix, so all of them are
 * in memory meanwhile.
 * @param load - gives what turns the elements from `start` on into numbers
 */
export function swapped(
  dims: readonly number[],
  load: () => Promise<(start: number, length: number) => Float32Array>,
): Reals {
  return async function* () {
    const [rows, columns] = dims.slice(-2) as [number, number];
    const total = elementCount(dims);
    if (total === 0) return;
    const read = await load();
    for (let base = 0; base < total; base += rows * columns) {
      for (let first = 0; first < columns; first += COLUMNS) {
        const width = Math.min(COLUMNS, columns - first);
        const out = new Float32Array(width * rows);
        for (let row = 0; row < rows; row++) {
          const values = read(base + row * columns + first, width);
          for (let at = 0; at < width; at++) out[at * rows + row] = values[at] as number;
        }
        yield out;
      }
    }
  };
}

/** A float matrix with its axes swapped. */
export function swappedReals(tensor: Tensor): Reals | undefined {
  const toFloats = isFloat(tensor.dtype) ? reader(tensor) : undefined;
  if (toFloats === undefined) return undefined;
  return swapped(tensor.dims, async () => {
    const values = toFloats(await tensor.load());
    return (start, length) => values.subarray(start, start + length);
  });
}
