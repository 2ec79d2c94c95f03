import type { ChannelLayout } from './layout.ts';
import type { LinearParams } from './linear.ts';
import { type Loss, Losses } from './loss.ts';
import type { Range } from './range.ts';
import type { Arena } from './simd/arena.ts';
import { RESULT } from './simd/kernels.ts';
import type { Span } from './slices.ts';
import type { Steps } from './steps.ts';

/** Formats that the kernels read chunk by chunk. */
export type StreamedFormat = 'float32' | 'float16' | 'bfloat16';

/** Bytes of an element. */
export function bytesOf(format: StreamedFormat): number {
  return format === 'float32' ? 4 : 2;
}

/**
 * Bytes of float32 in the arena at a time. Half of this is slower with two threads, which then wait for each other when
 * writing.
 */
const CHUNK: number = 2 << 20;
/** Elements in a chunk. */
const LIMIT: number = CHUNK / 4;
/** Bytes of a transposed result that are buffered at a time. */
const BAND: number = 32 << 20;
/** Shorter pieces of a row are not read separately: the call would cost more than reading the bytes around them. */
const SHORT_ROW = 4096;

/** A tensor of floats, its channels, and how its elements are stored. */
export interface Floats {
  readonly format: StreamedFormat;
  readonly layout: ChannelLayout;
}

/**
 * A piece of a tensor as a matrix: `rows` rows of `columns` elements from element `start`; the first channel is
 * `channel`.
 */
interface Piece {
  readonly start: number;
  readonly rows: number;
  readonly columns: number;
  readonly channel: number;
  readonly byColumn: boolean;
}

/** Cuts a tensor into pieces of at most a chunk (or one row of channels); channels are the columns or the rows. */
function* pieces({ outer, channels, inner }: ChannelLayout): Generator<Piece> {
  if (inner === 1 && channels > 1) {
    const step = Math.max(1, Math.floor(LIMIT / channels));
    for (let row = 0; row < outer; row += step) {
      yield { start: row * channels, rows: Math.min(step, outer - row), columns: channels, channel: 0, byColumn: true };
    }
    return;
  }
  const step = Math.max(1, Math.floor(LIMIT / inner));
  for (let block = 0; block < outer; block++) {
    for (let channel = 0; channel < channels; channel += step) {
      const first = (block * channels + channel) * inner;
      const rows = Math.min(step, channels - channel);
      const columns = Math.min(inner, LIMIT);
      for (let at = 0; at < inner; at += columns) {
        yield { start: first + at, rows, columns: Math.min(columns, inner - at), channel, byColumn: false };
      }
    }
  }
}

/** The largest piece of a layout, in elements. */
function largest({ channels, inner }: ChannelLayout): number {
  return inner === 1 && channels > 1 ? Math.max(LIMIT, channels) : LIMIT;
}

/** Reads elements as float32 into the arena. */
export class Reader {
  readonly #arena: Arena;
  readonly #format: StreamedFormat;
  readonly #raw: number;
  /** Where the float32 elements are. */
  readonly input: number;

  constructor(arena: Arena, format: StreamedFormat, elements: number) {
    this.#arena = arena;
    this.#format = format;
    this.input = arena.allocate(elements * 4);
    this.#raw = format === 'float32' ? 0 : arena.allocate(elements * 2);
  }

  /** Reads `count` elements from element `start` of the tensor to position `to` of the input. */
  *read(start: number, count: number, to = 0): Steps<void> {
    const into = this.input + 4 * to;
    if (this.#format === 'float32') {
      yield { kind: 'read', bytes: this.#arena.bytes(into, 4 * count), at: 4 * start };
      return;
    }
    yield { kind: 'read', bytes: this.#arena.bytes(this.#raw, 2 * count), at: 2 * start };
    const { halfToFloat, bfloatToFloat } = this.#arena.kernels;
    (this.#format === 'float16' ? halfToFloat : bfloatToFloat)(this.#raw, count, into);
  }
}

/**
 * As `rangeOf` in range.ts.
 * @returns `min` and `max` of shape `[channels]`, or undefined if an element is NaN or infinite
 */
export function* rangeSteps(arena: Arena, { format, layout }: Floats): Steps<Range | undefined> {
  const { channels } = layout;
  const reader = new Reader(arena, format, largest(layout));
  const low = arena.allocate(channels * 4);
  const high = arena.allocate(channels * 4);
  arena.floats(low, channels).fill(0);
  arena.floats(high, channels).fill(0);
  for (const { start, rows, columns, channel, byColumn } of pieces(layout)) {
    yield* reader.read(start, rows * columns);
    const range = byColumn ? arena.kernels.rangeColumns : arena.kernels.rangeRows;
    if (range(reader.input, rows, columns, columns, low + 4 * channel, high + 4 * channel) === 0) return undefined;
  }
  return { min: arena.floats(low, channels).slice(), max: arena.floats(high, channels).slice() };
}

/** Adds the rounding errors measured by the last call of a quantizing kernel. */
export function measured(arena: Arena, losses: Losses): void {
  const [signal = 0, noise = 0] = arena.doubles(RESULT, 2);
  losses.add({ signal, noise });
}

/** As `quantizeLinear` in linear.ts; writes one byte for each element. */
export function* quantizeSteps(arena: Arena, { format, layout }: Floats, params: LinearParams): Steps<Loss> {
  const losses = new Losses();
  const reader = new Reader(arena, format, largest(layout));
  const out = arena.allocate(largest(layout));
  const { scale, zeroPoint } = place(arena, params);
  for (const { start, rows, columns, channel, byColumn } of pieces(layout)) {
    yield* reader.read(start, rows * columns);
    const quantize = byColumn ? arena.kernels.quantizeColumns : arena.kernels.quantizeRows;
    const zero = zeroPoint === 0 ? 0 : zeroPoint + 4 * channel;
    quantize(reader.input, rows, columns, columns, scale + 4 * channel, zero, params.min, params.max, out, columns);
    measured(arena, losses);
    yield { kind: 'write', bytes: arena.bytes(out, rows * columns), at: start };
  }
  const { signal, noise } = losses;
  return { signal, noise };
}

/** A matrix `[rows, columns]`, of which a band of columns is requested, transposed. */
export interface MatrixBand {
  readonly format: StreamedFormat;
  readonly rows: number;
  readonly columns: number;
  readonly wanted: Span;
}

/**
 * Quantizes and transposes: writes bytes `[wanted.length, rows]`, from 0 on.
 * @param params - one scale for each row, or one for all
 */
export function* transposeSteps(arena: Arena, matrix: MatrixBand, params: LinearParams): Steps<Loss> {
  const losses = new Losses();
  const { format, rows, columns, wanted } = matrix;
  const band = Math.max(1, Math.min(wanted.length, Math.floor(BAND / rows)));
  const wide = 4 * band < SHORT_ROW ? columns : band;
  const step = Math.max(1, Math.floor(LIMIT / wide));
  const reader = new Reader(arena, format, step * wide);
  const out = arena.allocate(band * rows);
  const { scale, zeroPoint } = place(arena, params.scale.length === rows ? params : spread(params, rows));
  for (let done = 0; done < wanted.length; done += band) {
    const width = Math.min(band, wanted.length - done);
    const first = wanted.start + done;
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row);
      const whole = wide === columns;
      if (whole) yield* reader.read(row * columns, count * columns);
      else for (let r = 0; r < count; r++) yield* reader.read((row + r) * columns + first, width, r * wide);
      const zero = zeroPoint === 0 ? 0 : zeroPoint + 4 * row;
      arena.kernels.quantizeTransposed(
        whole ? reader.input + 4 * first : reader.input,
        count,
        width,
        wide,
        scale + 4 * row,
        zero,
        params.min,
        params.max,
        out + row,
        rows,
      );
      measured(arena, losses);
    }
    yield { kind: 'write', bytes: arena.bytes(out, width * rows), at: done * rows };
  }
  const { signal, noise } = losses;
  return { signal, noise };
}

/** Copies scales and zero points into the arena; the offset is 0 if all zero points are 0. */
function place(arena: Arena, params: LinearParams): { scale: number; zeroPoint: number } {
  const { length } = params.scale;
  const scale = arena.allocate(length * 4);
  const zeros = params.zeroPoint.every((one) => one === 0);
  const zeroPoint = zeros ? 0 : arena.allocate(length * 4);
  arena.floats(scale, length).set(params.scale);
  if (!zeros) arena.int32s(zeroPoint, length).set(params.zeroPoint);
  return { scale, zeroPoint };
}

/** One scale for all, repeated for each row. */
function spread(params: LinearParams, rows: number): LinearParams {
  const scale = new Float32Array(rows).fill(params.scale[0] ?? 1);
  return { ...params, scale, zeroPoint: new Int32Array(rows).fill(params.zeroPoint[0] ?? 0) };
}
