import { measured, Reader, type StreamedFormat } from '../linearSteps.ts';
import { type Loss, Losses } from '../loss.ts';
import type { Arena } from '../simd/arena.ts';
import type { Span } from '../slices.ts';
import type { Steps } from '../steps.ts';
import { chooseCodes, Room } from './chooseCodes.ts';
import { blocksIn, type Coded, type Codes, middleOf, type PackedCodes } from './codes.ts';
import { fillUp } from './pack.ts';
import type { SearchHow } from './search.ts';
import { type Cut, type Tile, tilesOf } from './tiles.ts';

/** A matrix of floats that lies somewhere, of which a part is wanted. */
export interface CodesMatrix extends Cut {
  readonly format: StreamedFormat;
  /** What the numbers are multiplied by. */
  readonly factor: number;
  /** Of outputs, or of blocks of inputs: of what `shareOf` of tiles.ts tells. */
  readonly wanted: Span;
}

/**
 * As `searchCodes` of search.ts and `searchMultipliers` of multipliers.ts, a tile at a time. Writes nothing.
 * @param into - gets the codes of what is wanted: threads fill in theirs
 * @returns what they lose; undefined if a number is NaN or infinite
 */
export function* codesSteps(
  arena: Arena,
  matrix: CodesMatrix,
  how: SearchHow,
  into: Codes | PackedCodes,
): Steps<Loss | undefined> {
  const tiles = [...tilesOf(matrix, into, matrix.wanted)];
  const losses = new Losses();
  const [largest] = tiles;
  if (largest === undefined) return losses;
  const reader = new Reader(arena, matrix.format, largest.outputs.length * largest.inputs.length);
  const room = new Room(arena, reader, largest, into, how);
  for (const tile of tiles) {
    yield* readTile(reader, matrix, tile);
    multiply(arena.floats(room.input, tile.outputs.length * tile.inputs.length), matrix.factor);
    if (!allFinite(arena, room, tile, matrix.outFirst)) return undefined;
    chooseCodes(arena, room, tile, matrix.outFirst, into, how);
    measured(arena, losses);
    takeScales(arena, room, into, tile);
    takeCodes(arena, room, into, tile);
  }
  const { signal, noise } = losses;
  return { signal, noise };
}

/** Takes rows that lie one after the other to where they lie `stride` apart. */
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

/** Takes what belongs to the codes of a tile. */
function takeScales(arena: Arena, room: Room, into: Coded, { outputs, inputs }: Tile): void {
  const stride = blocksIn(into);
  const size = { rows: outputs.length, length: Math.ceil(inputs.length / into.block) };
  const total = size.rows * size.length;
  const at = outputs.start * stride + inputs.start / into.block;
  putRows(arena.floats(room.scale, total), size, { data: into.scales, at, stride });
  if (into.zeros !== undefined) putRows(arena.bytes(room.zero, total), size, { data: into.zeros, at, stride });
  into.multipliers?.steps.set(arena.floats(room.step, outputs.length), outputs.start);
  into.multipliers?.factors.set(new Int8Array(arena.bytes(room.factor, total)), at);
}

function takeCodes(arena: Arena, room: Room, into: Codes | PackedCodes, { outputs, inputs }: Tile): void {
  const { bits, block, zeros } = into;
  const [rows, first] = [outputs.length, inputs.start];
  const length = room.lengthOf(inputs.length);
  const laid = arena.bytes(room.out, rows * length);
  if (!('packed' in into)) {
    const at = outputs.start * into.inputs + first;
    putRows(laid, { rows, length }, { data: into.codes, at, stride: into.inputs });
    return;
  }
  const { order, packed } = into;
  const blocks = blocksIn(into);
  fillUp(laid, { outputs: rows, inputs: inputs.length, length }, order, (row) => {
    return zeros?.[(outputs.start + row + 1) * blocks - 1] ?? middleOf(bits);
  });
  const bytes = (count: number): number => (count * bits) / 8;
  if (order === 'outputs') {
    if (bits < 8) arena.kernels.packBits(room.out, rows * length, bits, room.out);
    const stride = bytes(blocks * block);
    const at = outputs.start * stride + bytes(first);
    putRows(laid.subarray(0, bytes(laid.length)), { rows, length: bytes(length) }, { data: packed, at, stride });
    return;
  }
  if (bits < 8) arena.kernels.packRows(room.out, length, rows, bits, room.out);
  const size = { rows: bytes(length), length: rows };
  const at = bytes(first) * into.outputs + outputs.start;
  putRows(laid.subarray(0, bytes(laid.length)), size, { data: packed, at, stride: into.outputs });
}

/** Reads a tile, as it lies. */
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
