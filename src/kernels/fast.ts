import type { ChannelLayout } from './layout.ts';
import type { LinearParams } from './linear.ts';
import type { Range } from './range.ts';
import { Arena } from './simd/arena.ts';

/**
 * The kernels of range.ts, linear.ts and layout.ts over whole tensors, computed chunk by chunk in WebAssembly. Results
 * are bit-equal to those of the reference; tests hold both together.
 */

/** Bytes of a tensor that are in the arena at a time: its float32 and its integers fit the second-level cache. */
const CHUNK: number = 1 << 20;

let shared: Arena | undefined;

/** Runs work in the one arena of this module, and frees what it allocated. */
function inArena<T>(work: (arena: Arena) => T): T {
  shared ??= new Arena();
  const mark = shared.mark();
  try {
    return work(shared);
  } finally {
    shared.release(mark);
  }
}

/** A piece of a tensor seen as a matrix: `rows` rows of `columns` elements from element `start`, the first of channel `channel`. */
interface Piece {
  readonly start: number;
  readonly rows: number;
  readonly columns: number;
  readonly channel: number;
}

/** Cuts a tensor into pieces of at most CHUNK bytes (or one row of columns): channels are its columns, or its rows. */
function* pieces(layout: ChannelLayout): Generator<Piece & { readonly byColumn: boolean }> {
  const { outer, channels, inner } = layout;
  const limit = CHUNK / 4;
  if (inner === 1 && channels > 1) {
    const step = Math.max(1, Math.floor(limit / channels));
    for (let row = 0; row < outer; row += step) {
      yield { start: row * channels, rows: Math.min(step, outer - row), columns: channels, channel: 0, byColumn: true };
    }
    return;
  }
  const step = Math.max(1, Math.floor(limit / inner));
  for (let block = 0; block < outer; block++) {
    for (let channel = 0; channel < channels; channel += step) {
      const first = (block * channels + channel) * inner;
      const rows = Math.min(step, channels - channel);
      const columns = Math.min(inner, limit);
      for (let at = 0; at < inner; at += columns) {
        yield { start: first + at, rows, columns: Math.min(columns, inner - at), channel, byColumn: false };
      }
    }
  }
}

/** The largest piece of a layout, in elements. */
function largest(layout: ChannelLayout): number {
  return layout.inner === 1 && layout.channels > 1 ? Math.max(CHUNK / 4, layout.channels) : CHUNK / 4;
}

/** As the reference of the same name in range.ts. */
export function rangeOf(data: Float32Array, layout: ChannelLayout): Range | undefined {
  return inArena((arena) => {
    const { channels } = layout;
    const input = arena.allocate(largest(layout) * 4);
    const low = arena.allocate(channels * 4);
    const high = arena.allocate(channels * 4);
    arena.floats(low, channels).fill(0);
    arena.floats(high, channels).fill(0);
    for (const { start, rows, columns, channel, byColumn } of pieces(layout)) {
      arena.floats(input, rows * columns).set(data.subarray(start, start + rows * columns));
      const range = byColumn ? arena.kernels.rangeColumns : arena.kernels.rangeRows;
      if (range(input, rows, columns, columns, low + 4 * channel, high + 4 * channel) === 0) return undefined;
    }
    return { min: arena.floats(low, channels).slice(), max: arena.floats(high, channels).slice() };
  });
}

/** Scales and zero points in the arena; 0 where all zero points are. */
function place(arena: Arena, params: LinearParams): { scale: number; zeroPoint: number } {
  const { length } = params.scale;
  const scale = arena.allocate(length * 4);
  const zeros = params.zeroPoint.every((one) => one === 0);
  const zeroPoint = zeros ? 0 : arena.allocate(length * 4);
  arena.floats(scale, length).set(params.scale);
  if (!zeros) arena.int32s(zeroPoint, length).set(params.zeroPoint);
  return { scale, zeroPoint };
}

/** As the reference of the same name in linear.ts. */
export function quantizeLinear(data: Float32Array, layout: ChannelLayout, params: LinearParams): Uint8Array {
  const result = new Uint8Array(data.length);
  inArena((arena) => {
    const input = arena.allocate(largest(layout) * 4);
    const out = arena.allocate(largest(layout));
    const { scale, zeroPoint } = place(arena, params);
    for (const { start, rows, columns, channel, byColumn } of pieces(layout)) {
      const count = rows * columns;
      arena.floats(input, count).set(data.subarray(start, start + count));
      const quantize = byColumn ? arena.kernels.quantizeColumns : arena.kernels.quantizeRows;
      const zero = zeroPoint === 0 ? 0 : zeroPoint + 4 * channel;
      quantize(input, rows, columns, columns, scale + 4 * channel, zero, params.min, params.max, out, columns);
      result.set(arena.bytes(out, count), start);
    }
  });
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
): Uint8Array {
  return inArena((arena) => {
    const step = Math.max(1, Math.floor(CHUNK / 4 / columns));
    const input = arena.allocate(step * columns * 4);
    const out = arena.allocate(rows * columns);
    const full: LinearParams = params.scale.length === rows ? params : spread(params, rows);
    const { scale, zeroPoint } = place(arena, full);
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row);
      arena.floats(input, count * columns).set(data.subarray(row * columns, (row + count) * columns));
      const zero = zeroPoint === 0 ? 0 : zeroPoint + 4 * row;
      const { min, max } = params;
      arena.kernels.quantizeTransposed(
        input,
        count,
        columns,
        columns,
        scale + 4 * row,
        zero,
        min,
        max,
        out + row,
        rows,
      );
    }
    return arena.bytes(out, rows * columns).slice();
  });
}

/** One scale for all, written out for each row. */
function spread(params: LinearParams, rows: number): LinearParams {
  const scale = new Float32Array(rows).fill(params.scale[0] ?? 1);
  return { ...params, scale, zeroPoint: new Int32Array(rows).fill(params.zeroPoint[0] ?? 0) };
}
