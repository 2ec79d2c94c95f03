import { measured, Reader, type StreamedFormat } from '../linearSteps.ts';
import { type Loss, Losses } from '../loss.ts';
import type { Arena } from '../simd/arena.ts';
import type { Span } from '../slices.ts';
import type { Steps } from '../steps.ts';
import { blocksIn, type Coded, type Codes, type MatrixShape, middleOf, type PackedCodes } from './codes.ts';
import { fillUp } from './pack.ts';
import type { SearchHow } from './search.ts';
import { findScales, Room } from './strips.ts';

/** Elements of a strip of outputs that is in the arena at a time: 2 Mi where its rows lie together, else 4 Mi. */
const LIMIT: number = 1 << 21;

/** A matrix of floats that lies somewhere, of which some outputs are wanted. */
export interface CodesMatrix extends MatrixShape {
  readonly format: StreamedFormat;
  /** Whether it lies as `[outputs, inputs]`, else as `[inputs, outputs]`. */
  readonly outFirst: boolean;
  /** What the numbers are multiplied by. */
  readonly factor: number;
  readonly wanted: Span;
}

/**
 * As `searchCodes` of search.ts and `searchMultipliers` of multipliers.ts, a strip of outputs at a time. Writes nothing.
 * @param into - gets the codes of the wanted outputs: threads fill in theirs
 * @returns what they lose; undefined where a number is NaN or infinite
 */
export function* codesSteps(
  arena: Arena,
  matrix: CodesMatrix,
  how: SearchHow,
  into: Codes | PackedCodes,
): Steps<Loss | undefined> {
  const { inputs, outFirst, wanted } = matrix;
  const most = Math.floor((outFirst ? LIMIT : 2 * LIMIT) / inputs);
  const strip = Math.min(wanted.length, Math.max(16, most - (most % 16)));
  const reader = new Reader(arena, matrix.format, strip * inputs);
  const room = new Room(arena, reader, strip, into, how);
  const losses = new Losses();
  for (let done = 0; done < wanted.length; done += strip) {
    const first = wanted.start + done;
    const count = Math.min(strip, wanted.length - done);
    yield* readStrip(reader, matrix, first, count);
    multiply(arena.floats(room.input, count * inputs), matrix.factor);
    if (!allFinite(arena, room, matrix, count)) return undefined;
    findScales(arena, room, { outputs: count, inputs }, outFirst, into, how);
    const [along, across] = outFirst ? [inputs, 1] : [1, count];
    const size = [room.input, count, inputs, along, across, into.block, into.bits] as const;
    const turned = 'packed' in into && into.order === 'inputs';
    const lying: readonly [number, number] = turned ? [1, count] : [room.length, 1];
    arena.kernels.takeCodes(...size, room.scale, room.zero, room.work, room.out, ...lying);
    measured(arena, losses);
    takeScales(arena, room, into, first, count);
    takeCodes(arena, room, into, first, count);
  }
  const { signal, noise } = losses;
  return { signal, noise };
}

/** Takes what belongs to the codes of the `count` outputs in the arena, which come after `first` others. */
function takeScales(arena: Arena, room: Room, into: Coded, first: number, count: number): void {
  const blocks = blocksIn(into);
  const [at, size] = [first * blocks, count * blocks];
  into.scales.set(arena.floats(room.scale, size), at);
  into.zeros?.set(arena.bytes(room.zero, size), at);
  into.multipliers?.steps.set(arena.floats(room.step, count), first);
  into.multipliers?.factors.set(new Int8Array(arena.bytes(room.factor, size)), at);
}

function takeCodes(arena: Arena, room: Room, into: Codes | PackedCodes, first: number, count: number): void {
  const { outputs, inputs, bits, zeros } = into;
  const { length } = room;
  const laid = arena.bytes(room.out, count * length);
  if (!('packed' in into)) {
    into.codes.set(laid, first * length);
    return;
  }
  const { order, packed } = into;
  const blocks = blocksIn(into);
  fillUp(laid, { outputs: count, inputs, length }, order, (row) => {
    return zeros?.[(first + row + 1) * blocks - 1] ?? middleOf(bits);
  });
  const rows = (length * bits) / 8;
  if (order === 'outputs') {
    if (bits < 8) arena.kernels.packBits(room.out, count * length, bits, room.out);
    packed.set(arena.bytes(room.out, count * rows), first * rows);
    return;
  }
  if (bits < 8) arena.kernels.packRows(room.out, length, count, bits, room.out);
  for (let row = 0; row < rows; row++) {
    packed.set(arena.bytes(room.out + row * count, count), row * outputs + first);
  }
}

/** Reads `count` outputs: as rows, or as columns of rows that are `count` long. */
function* readStrip(reader: Reader, matrix: CodesMatrix, first: number, count: number): Steps<void> {
  const { outputs, inputs, outFirst } = matrix;
  if (outFirst) yield* reader.read(first * inputs, count * inputs);
  else if (count === outputs) yield* reader.read(0, count * inputs);
  else for (let row = 0; row < inputs; row++) yield* reader.read(row * outputs + first, count, row * count);
}

function allFinite(arena: Arena, room: Room, { inputs, outFirst }: CodesMatrix, count: number): boolean {
  const [rows, columns] = outFirst ? [count, inputs] : [inputs, count];
  const high = room.range + 4 * rows;
  arena.floats(room.range, 2 * rows).fill(0);
  return arena.kernels.rangeRows(room.input, rows, columns, columns, room.range, high) === 1;
}

function multiply(values: Float32Array, factor: number): void {
  if (factor === 1) return;
  for (let at = 0; at < values.length; at++) values[at] = (values[at] as number) * factor;
}
