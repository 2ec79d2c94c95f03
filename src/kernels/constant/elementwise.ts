import { broadcastWalk, positions } from './shape.ts';

/** A tensor's elements in the types that these kernels compute with. */
export type Elements = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

/** One of several tensors that are broadcast to the same dims. */
export interface Operand<T extends Elements> {
  readonly values: T;
  readonly dims: readonly number[];
}

/** `out[…] = operation(a[…], b[…])`, with both broadcast to `dims`. */
export function combineElements<T extends Elements, R extends Elements>(
  [a, b]: readonly [Operand<T>, Operand<T>],
  dims: readonly number[],
  out: R,
  operation: (a: T[number], b: T[number]) => R[number],
): R {
  const [left, right] = [indexOf(a, dims), indexOf(b, dims)];
  for (let at = 0; at < out.length; at++) {
    out[at] = operation(a.values[left(at)] as T[number], b.values[right(at)] as T[number]);
  }
  return out;
}

/** `out[…] = condition[…] ? yes[…] : no[…]`, all broadcast to `dims`; elements of `size` bytes. */
export function chooseElements(
  condition: Operand<Uint8Array>,
  yes: Operand<Uint8Array>,
  no: Operand<Uint8Array>,
  dims: readonly number[],
  size: number,
): Uint8Array {
  const length = dims.reduce((product, dim) => product * dim, 1);
  const out = new Uint8Array(length * size);
  const [test, first, second] = [indexOf(condition, dims), indexOf(yes, dims), indexOf(no, dims)];
  for (let at = 0; at < length; at++) {
    const isFirst = condition.values[test(at)] !== 0;
    const from = (isFirst ? first(at) : second(at)) * size;
    out.set((isFirst ? yes : no).values.subarray(from, from + size), at * size);
  }
  return out;
}

/** Maps an index of the result to the index in an operand. */
function indexOf({ dims: own }: Operand<Elements>, dims: readonly number[]): (at: number) => number {
  const count = (list: readonly number[]): number => list.reduce((product, dim) => product * dim, 1);
  if (count(own) === count(dims)) return (at) => at;
  if (count(own) === 1) return () => 0;
  const all = positions(broadcastWalk(own, dims));
  return (at) => all[at] as number;
}
