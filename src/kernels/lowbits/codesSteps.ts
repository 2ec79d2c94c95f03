import { measured, Reader, type StreamedFormat } from '../linearSteps.ts';
import { type Loss, Losses } from '../loss.ts';
import type { Arena } from '../simd/arena.ts';
import type { Span } from '../slices.ts';
import type { Steps } from '../steps.ts';
import { chooseCodes, Room } from './chooseCodes.ts';
import { blocksIn, type Coded, type Codes, type PackedCodes } from './codes.ts';
import type { SearchOptions } from './search.ts';
import { type Band, bandsOf, type Cut, type Tile } from './tiles.ts';

/** A stored matrix of floats, of which a part is requested. */
export interface CodesMatrix extends Cut {
  readonly format: StreamedFormat;
  /** A factor that the numbers are multiplied by. */
  readonly factor: number;
  /** The requested outputs or blocks of inputs, in the unit of `shareOf` of tiles.ts. */
  readonly wanted: Span;
}

/**
 * As `searchCodes` of search.ts and `searchMultipliers` of multipliers.ts, one band at a time. Writes no bytes.
 * @param into - receives the codes of the requested part; threads fill in their own
 * @returns their loss; undefined if a number is NaN or infinite
 */
export function* codesSteps(
  arena: Arena,
  matrix: CodesMatrix,
  how: SearchOptions,
  into: Codes | PackedCodes,
): Steps<Loss | undefined> {
  const bands = [...bandsOf(matrix, into, matrix.wanted)];
  const losses = new Losses();
  const [largest] = bands;
  const [tile] = largest?.tiles ?? [];
  if (largest === undefined || tile === undefined) return losses;
  const reader = new Reader(arena, matrix.format, tile.outputs.length * tile.inputs.length);
  const room = new Room(arena, reader, largest, tile, into, how);
  for (const band of bands) {
    for (const tile of band.tiles) {
      yield* readTile(reader, matrix, tile);
      multiply(arena.floats(room.input, tile.outputs.length * tile.inputs.length), matrix.factor);
      chooseCodes(arena, room, { band, tile }, matrix.outFirst, into, how);
      const own = new Losses();
      measured(arena, own);
      // A sum of squares that is not finite can come from large numbers or infinite ones, so check the numbers.
      if (!Number.isFinite(own.signal) && !allFinite(arena, room, tile, matrix.outFirst)) return undefined;
      losses.add(own);
    }
    takeScales(arena, room, into, band);
    takeCodes(arena, room, into, band);
  }
  const { signal, noise } = losses;
  return { signal, noise };
}

/** Copies contiguous rows to rows `stride` apart. */
function putRows<T extends Float32Array | Uint8Array>(
  from: T,
  { rows, length }: { readonly rows: number; readonly length: number },
  into: { readonly data: T; readonly at: number; readonly stride: number },
): void {
  const { data, at, stride } = into;
  if (length === stride) {
    data.set(from, at);
    return;
  }
  for (let row = 0; row < rows; row++) data.set(from.subarray(row * length, (row + 1) * length), at + row * stride);
}

/** Copies scales, zero points, steps and factors of a band. */
function takeScales(arena: Arena, room: Room, into: Coded, { outputs, inputs }: Band): void {
  const stride = blocksIn(into);
  const size = { rows: outputs.length, length: Math.ceil(inputs.length / into.block) };
  const total = size.rows * size.length;
  const at = outputs.start * stride + inputs.start / into.block;
  putRows(arena.floats(room.scale, total), size, { data: into.scales, at, stride });
  if (into.zeros !== undefined) putRows(arena.bytes(room.zero, total), size, { data: into.zeros, at, stride });
  into.multipliers?.steps.set(arena.floats(room.step, outputs.length), outputs.start);
  into.multipliers?.factors.set(new Int8Array(arena.bytes(room.factor, total)), at);
}

function takeCodes(arena: Arena, room: Room, into: Codes | PackedCodes, { outputs, inputs }: Band): void {
  const length = room.bytesFor(inputs.length);
  const laid = arena.bytes(room.out, outputs.length * length);
  if ('packed' in into && into.order === 'inputs') {
    const at = room.bytesFor(inputs.start) * into.outputs + outputs.start;
    putRows(laid, { rows: length, length: outputs.length }, { data: into.packed, at, stride: into.outputs });
    return;
  }
  const stride = room.bytesFor(into.inputs);
  const at = outputs.start * stride + room.bytesFor(inputs.start);
  putRows(laid, { rows: outputs.length, length }, { data: 'packed' in into ? into.packed : into.codes, at, stride });
}

/** Reads a tile in its stored order. */
function* readTile(reader: Reader, matrix: CodesMatrix, { outputs, inputs }: Tile): Steps<void> {
  const [rows, columns, stride] = matrix.outFirst
    ? [outputs, inputs, matrix.inputs]
    : [inputs, outputs, matrix.outputs];
  if (columns.length === stride) {
    yield* reader.read(rows.start * stride, rows.length * stride);
    return;
  }
  for (let row = 0; row < rows.length; row++) {
    yield* reader.read((rows.start + row) * stride + columns.start, columns.length, row * columns.length);
  }
}

function allFinite(arena: Arena, room: Room, { outputs, inputs }: Tile, outFirst: boolean): boolean {
  const [rows, columns] = outFirst ? [outputs.length, inputs.length] : [inputs.length, outputs.length];
  const high = room.range + 4 * rows;
  arena.floats(room.range, 2 * rows).fill(0);
  return arena.kernels.rangeRows(room.input, rows, columns, columns, room.range, high) === 1;
}

function multiply(values: Float32Array, factor: number): void {
  if (factor === 1) return;
  for (let at = 0; at < values.length; at++) values[at] = (values[at] as number) * factor;
}
