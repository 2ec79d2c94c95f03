import { halfSteps } from './halfSteps.ts';
import type { ChannelLayout } from './layout.ts';
import type { LinearParams } from './linear.ts';
import { quantizeSteps, rangeSteps, transposeSteps } from './linearSteps.ts';
import type { Losses } from './loss.ts';
import type { Range } from './range.ts';
import { Arena } from './simd/arena.ts';
import { perform, type Steps, type Transfer } from './steps.ts';
import type { HalfFormat } from './views.ts';

/**
 * The kernels of range.ts, linear.ts and layout.ts over whole tensors in memory, computed chunk by chunk in
 * WebAssembly. Results are bit-equal to those of the reference; tests compare the two.
 */

let shared: Arena | undefined;

/** Runs a computation over `data` in this module's only arena, and frees what it allocated. */
function over<T>(data: Float32Array, work: (arena: Arena) => Steps<T>, write: Transfer = () => {}): T {
  shared ??= new Arena();
  const mark = shared.mark();
  const from = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  try {
    return perform(work(shared), (bytes, at) => bytes.set(from.subarray(at, at + bytes.length)), write);
  } finally {
    shared.release(mark);
  }
}

/** As the reference of the same name in range.ts. */
export function rangeOf(data: Float32Array, layout: ChannelLayout): Range | undefined {
  return over(data, (arena) => rangeSteps(arena, { format: 'float32', layout }));
}

/** As the reference of the same name in linear.ts. */
export function quantizeLinear(
  data: Float32Array,
  layout: ChannelLayout,
  params: LinearParams,
  losses?: Losses,
): Uint8Array {
  const result = new Uint8Array(data.length);
  const loss = over(
    data,
    (arena) => quantizeSteps(arena, { format: 'float32', layout }, params),
    (bytes, at) => result.set(bytes, at),
  );
  losses?.add(loss);
  return result;
}

/**
 * Quantizes a matrix `[rows, columns]` and transposes it: `transpose` and `quantizeLinear` in one.
 * @param params - one scale for each row, or one for all
 * @returns bytes `[columns, rows]`
 */
export function quantizeTransposed(
  data: Float32Array,
  rows: number,
  columns: number,
  params: LinearParams,
  losses?: Losses,
): Uint8Array {
  const result = new Uint8Array(data.length);
  const matrix = { format: 'float32', rows, columns, wanted: { start: 0, length: columns } } as const;
  const loss = over(
    data,
    (arena) => transposeSteps(arena, matrix, params),
    (bytes, at) => result.set(bytes, at),
  );
  losses?.add(loss);
  return result;
}

/** As the reference of the same name in halves.ts. */
export function halvesOf(data: Float32Array, format: HalfFormat): Uint8Array {
  const result = new Uint8Array(2 * data.length);
  over(
    data,
    (arena) => halfSteps(arena, { elements: data.length, from: 'float32', to: format }),
    (bytes, at) => result.set(bytes, at),
  );
  return result;
}
