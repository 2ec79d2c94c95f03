import type { Run } from './passOn.ts';
import { copyMatrix, type MatrixView, whole } from './products.ts';
import { Arena } from './simd/arena.ts';
import { columnWork, ROWS_TOGETHER } from './simd/columns.ts';
import type { Kernels } from './simd/kernels.ts';

/** Rows that are copied to where the kernels compute at a time. */
const ROWS = 256;

/** Columns that the kernels take at a time; those beyond hear of their errors by a product of matrices. */
export const STRIP = 128;

/** A matrix in float32. */
export type FloatView = MatrixView<Float32Array>;

/** A matrix of bytes. */
export interface ByteView {
  readonly data: Uint8Array;
  readonly at: number;
  readonly stride: number;
}

/** Columns beside each other, `[rows, width]`, and what each of them takes of the errors of those before it. */
export interface Strip {
  readonly rows: number;
  readonly width: number;
  /** `[width, width]`, lower triangular: a row for the column that takes errors. */
  readonly factor: Float32Array;
}

/** What stands for the weights of a strip, element by element: `[rows, width]` each. */
export interface ColumnCodes {
  readonly bits: number;
  /** 0 where the code is that of 0, whatever comes. */
  readonly scales: FloatView;
  readonly zeros: ByteView;
  readonly codes: ByteView;
}

/** Which elements of a strip become 0. */
export interface Elimination {
  /** `[rows, width]`: 1 for what becomes 0, or, where groups choose, for what goes first. */
  readonly mask: ByteView;
  /** Where each group of columns begins, from 0 on, and the last one ends. */
  readonly bounds: readonly number[];
  /** How many elements of each row of a group stay; below 0 the mask alone decides. */
  readonly keep: number;
}

/** What the columns of a run take of each other's errors, of an upper triangular matrix `[columns, columns]`. */
export function takenBy(upper: Float32Array, columns: number, { start, end }: Run): Float32Array {
  const width = end - start;
  const factor = new Float32Array(width * width);
  for (let row = 0; row < width; row++) {
    const at = (start + row) * columns + start;
    for (let column = row; column < width; column++) factor[column * width + row] = upper[at + column] as number;
  }
  return factor;
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

/** See {@link Kernels.descendCodes}. `changes` are written, the codes changed in place. @returns how many changed */
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

/** Some rows of a strip, and where the kernels find what all rows share. */
interface Rows {
  readonly start: number;
  /** A multiple of what the kernels take together. */
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
    shared.floats(at, width * width).set(factor);
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

/** Copies rows of matrices to the memory of the kernels and back. */
class Room {
  readonly kernels: Kernels;
  /** With those that only fill up. */
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

  /** Rows that only fill up are 0. */
  floats(view: FloatView | undefined, start: number): number {
    const offset = this.#arena.allocate(4 * this.rows * this.#width);
    const room = this.#arena.floats(offset, this.rows * this.#width);
    if (view === undefined) return offset;
    copyMatrix({ ...view, at: view.at + start * view.stride }, whole(room, this.#width), this.#count, this.#width);
    room.fill(0, this.#count * this.#width);
    return offset;
  }

  bytes(view: ByteView | undefined, start: number): number {
    const offset = this.#arena.allocate(this.rows * this.#width);
    const room = this.#arena.bytes(offset, this.rows * this.#width);
    for (let row = 0; view !== undefined && row < this.#count; row++) {
      const [from, to] = [view.at + (start + row) * view.stride, row * this.#width];
      for (let at = 0; at < this.#width; at++) room[to + at] = view.data[from + at] as number;
    }
    room.fill(0, this.#count * this.#width);
    return offset;
  }

  ints(values: readonly number[]): number {
    const offset = this.#arena.allocate(4 * values.length);
    this.#arena.int32s(offset, values.length).set(values);
    return offset;
  }

  takeFloats(offset: number, view: FloatView, start: number): void {
    const room = this.#arena.floats(offset, this.#count * this.#width);
    copyMatrix(whole(room, this.#width), { ...view, at: view.at + start * view.stride }, this.#count, this.#width);
  }

  takeBytes(offset: number, view: ByteView, start: number): void {
    const room = this.#arena.bytes(offset, this.#count * this.#width);
    for (let row = 0; row < this.#count; row++) {
      const [from, to] = [row * this.#width, view.at + (start + row) * view.stride];
      for (let at = 0; at < this.#width; at++) view.data[to + at] = room[from + at] as number;
    }
  }
}
