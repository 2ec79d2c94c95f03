import { equalBytes } from '../../bytes/bytes.ts';
import { chunksOf } from '../../compute/chunks.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { type Difference, DifferenceOf } from '../../kernels/difference.ts';
import type { Reals } from '../../schemes/reals.ts';

/** Whether two tensors hold the same bytes; reads only up to the first difference. */
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

/** Compares two tensors with equally many elements, reading each once. */
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
