import { copyMatrix, type MatrixView, whole } from './products.ts';
import { Arena } from './simd/arena.ts';
import { columnWork, ROWS_TOGETHER } from './simd/columns.ts';
import type { Kernels } from './simd/kernels.ts';

/** Rows that are copied into the kernels' memory at a time. */
const ROWS = 2048;

/** Columns that the kernels process at a time; a matrix product passes their errors on to later columns. */
export const STRIP = 128;

/** A matrix in float32 with one line per column. */
export type FloatView = MatrixView<Float32Array>;

/** A matrix of bytes. */
export interface ByteView {
  readonly data: Uint8Array;
  readonly at: number;
  readonly stride: number;
}

/** Consecutive columns, `[width, rows]`, and the factors by which each compensates the errors of earlier ones. */
export interface Strip {
  readonly rows: number;
  readonly width: number;
  /** `[width, width]`, lower triangle only: one row for each compensating column. */
  readonly factor: FloatView;
}

/** What encodes the weights of a strip, element by element: `[width, rows]` each. */
export interface ColumnCodes {
  readonly bits: number;
  /** 0 where the code must be that of 0. */
  readonly scales: FloatView;
  readonly zeros: ByteView;
  readonly codes: ByteView;
}

/** Which elements of a strip become 0. */
export interface Elimination {
  /** `[width, rows]`: 1 for what becomes 0, or, with groups, for what is chosen first. */
  readonly mask: ByteView;
  /** The start of each group of columns, from 0 on, and the end of the last one. */
  readonly bounds: readonly number[];
  /** Number of elements kept in each row of a group; if negative, only the mask decides. */
  readonly keep: number;
}

let shared: Arena | undefined;

/** See {@link Kernels.eliminate}. `data` is changed in place, `errors` are written. */
export function eliminateColumns(strip: Strip, data: FloatView, errors: FloatView, of: Elimination): void {
  const groups = of.bounds.length - 1;
  byRows(strip, (room, { start, rows, width, factor, work }) => {
    const [own, lost] = [room.floats(data, start), room.floats(undefined, start)];
    const [gone, bounds] = [room.bytes(of.mask, start), room.ints(of.bounds)];
    room.kernels.eliminate(own, lost, gone, rows, width, bounds, groups, of.keep, factor, work);
    room.takeFloats(own, data, start);
    room.takeFloats(lost, errors, start);
  });
}

/** See {@link Kernels.sweepCodes}. `errors` and the codes are written. */
export function sweepColumns(strip: Strip, data: FloatView, errors: FloatView, of: ColumnCodes): void {
  byRows(strip, (room, { start, rows, width, factor, work }) => {
    const [own, lost] = [room.floats(data, start), room.floats(undefined, start)];
    const [scale, zero] = [room.floats(of.scales, start), room.bytes(of.zeros, start)];
    const code = room.bytes(undefined, start);
    room.kernels.sweepCodes(own, lost, scale, zero, code, rows, width, of.bits, factor, work);
    room.takeFloats(lost, errors, start);
    room.takeBytes(code, of.codes, start);
  });
}

/**
 * See {@link Kernels.descendCodes}. Writes `changes`, and changes the codes in place. @returns number of changed codes
 */
export function descendColumns(strip: Strip, pull: FloatView, changes: FloatView, of: ColumnCodes): number {
  let count = 0;
  byRows(strip, (room, { start, rows, width, factor, work }) => {
    const [own, made] = [room.floats(pull, start), room.floats(undefined, start)];
    const [scale, zero] = [room.floats(of.scales, start), room.bytes(of.zeros, start)];
    const code = room.bytes(of.codes, start);
    count += room.kernels.descendCodes(own, made, scale, zero, code, rows, width, of.bits, factor, work);
    room.takeFloats(made, changes, start);
    room.takeBytes(code, of.codes, start);
  });
  return count;
}

/** Some rows of a strip, and the offsets of what all rows share. */
interface Rows {
  readonly start: number;
  /** A multiple of the number that the kernels process together. */
  readonly rows: number;
  readonly width: number;
  readonly factor: number;
  readonly work: number;
}

function byRows({ rows, width, factor }: Strip, compute: (room: Room, part: Rows) => void): void {
  shared ??= new Arena();
  const mark = shared.mark();
  try {
    const at = shared.allocate(4 * width * width);
    const work = shared.allocate(columnWork(width));
    copyMatrix(factor, whole(shared.floats(at, width * width), width), width, width);
    for (let start = 0; start < rows; start += ROWS) {
      const inner = shared.mark();
      const room = new Room(shared, Math.min(ROWS, rows - start), width);
      compute(room, { start, rows: room.rows, width, factor: at, work });
      shared.release(inner);
    }
  } finally {
    shared.release(mark);
  }
}

/** Copies rows of matrices into the memory of the kernels and back. */
class Room {
  readonly kernels: Kernels;
  /** Including padding rows. */
  readonly rows: number;
  readonly #arena: Arena;
  readonly #count: number;
  readonly #width: number;

  constructor(arena: Arena, count: number, width: number) {
    this.kernels = arena.kernels;
    this.rows = Math.ceil(count / ROWS_TOGETHER) * ROWS_TOGETHER;
    this.#arena = arena;
    this.#count = count;
    this.#width = width;
  }

  /** Padding rows are 0. */
  floats(view: FloatView | undefined, start: number): number {
    const offset = this.#arena.allocate(4 * this.rows * this.#width);
    const room = this.#arena.floats(offset, this.rows * this.#width);
    if (view !== undefined) this.#fill(room, view, start);
    return offset;
  }

  bytes(view: ByteView | undefined, start: number): number {
    const offset = this.#arena.allocate(this.rows * this.#width);
    const room = this.#arena.bytes(offset, this.rows * this.#width);
    if (view !== undefined) this.#fill(room, view, start);
    return offset;
  }

  ints(values: readonly number[]): number {
    const offset = this.#arena.allocate(4 * values.length);
    this.#arena.int32s(offset, values.length).set(values);
    return offset;
  }

  takeFloats(offset: number, view: FloatView, start: number): void {
    this.#take(this.#arena.floats(offset, this.rows * this.#width), view, start);
  }

  takeBytes(offset: number, view: ByteView, start: number): void {
    this.#take(this.#arena.bytes(offset, this.rows * this.#width), view, start);
  }

  #fill<A extends Float32Array | Uint8Array>(room: A, { data, at, stride }: Lines<A>, start: number): void {
    if (stride === this.rows && stride === this.#count) {
      room.set(data.subarray(at, at + room.length));
      return;
    }
    room.fill(0);
    for (let column = 0; column < this.#width; column++) {
      const from = at + column * stride + start;
      room.set(data.subarray(from, from + this.#count), column * this.rows);
    }
  }

  #take<A extends Float32Array | Uint8Array>(room: A, { data, at, stride }: Lines<A>, start: number): void {
    if (stride === this.rows && stride === this.#count) {
      data.set(room, at);
      return;
    }
    for (let column = 0; column < this.#width; column++) {
      const from = column * this.rows;
      data.set(room.subarray(from, from + this.#count), at + column * stride + start);
    }
  }
}

/** One line per column. */
interface Lines<A> {
  readonly data: A;
  readonly at: number;
  readonly stride: number;
}
