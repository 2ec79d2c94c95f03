import type { Reader } from '../linearSteps.ts';
import type { Arena } from '../simd/arena.ts';
import { LOWBITS_NOTES } from '../simd/kernels.ts';
import { candidatesFor, needsWide } from './candidates.ts';
import { type Coded, type Codes, middleOf, type PackedCodes } from './codes.ts';
import { FRACTIONS } from './factors.ts';
import { blockOf, finder, type SearchHow, weightsOf } from './search.ts';
import type { Tile } from './tiles.ts';

/** The bits of infinity in float16. */
const INFINITY = 0x7c00;

/** Room in the arena for a tile, and what is the same for all of them. */
export class Room {
  readonly input: number;
  readonly work: number;
  readonly scale: number;
  readonly zero: number;
  readonly out: number;
  readonly step: number;
  readonly factor: number;
  readonly half: number;
  readonly known: number;
  readonly range: number;
  readonly weights: number;
  readonly candidates: number;
  readonly fractions: number;
  readonly #into: Codes | PackedCodes;

  /** @param largest - of the tiles */
  constructor(arena: Arena, reader: Reader, largest: Tile, into: Codes | PackedCodes, how: SearchHow) {
    const { block, symmetric, half, multipliers } = into;
    const strip = largest.outputs.length;
    const inputs = largest.inputs.length;
    const blocks = Math.ceil(inputs / block);
    this.#into = into;
    const floats = (values: ArrayLike<number>): number => {
      const at = arena.allocate(4 * values.length);
      arena.floats(at, values.length).set(values);
      return at;
    };
    this.input = reader.input;
    const tiles = Math.max(5 * block + 1, multipliers === undefined ? 0 : block * blocks);
    this.work = arena.allocate(LOWBITS_NOTES + 16 * tiles);
    this.scale = arena.allocate(4 * strip * blocks);
    this.zero = symmetric ? 0 : arena.allocate(strip * blocks);
    this.out = arena.allocate(strip * this.lengthOf(inputs));
    this.step = arena.allocate(4 * strip);
    this.factor = arena.allocate(strip * blocks);
    this.half = half ? arena.allocate(2 * strip * blocks) : 0;
    this.known = arena.allocate(32 * blocks);
    this.range = arena.allocate(8 * Math.max(strip, inputs));
    const weights = weightsOf(how.importance);
    this.weights = weights === undefined ? 0 : floats(weights);
    const { steps } = candidatesFor(into, weights !== undefined);
    this.candidates = arena.allocate(4 * steps.length);
    arena.int32s(this.candidates, steps.length).set(steps);
    this.fractions = floats(FRACTIONS);
  }

  /** How many codes a row has: with whole blocks where they are packed. */
  lengthOf(inputs: number): number {
    const { block } = this.#into;
    return 'packed' in this.#into ? Math.ceil(inputs / block) * block : inputs;
  }
}

/** Leaves scales, zero points, steps, factors and codes of a tile in the room, and what they lose at the result. */
export function chooseCodes(
  arena: Arena,
  room: Room,
  tile: Tile,
  outFirst: boolean,
  form: Codes | PackedCodes,
  how: SearchHow,
): void {
  const [outputs, inputs] = [tile.outputs.length, tile.inputs.length];
  const { bits, block, symmetric, half, multipliers } = form;
  const [along, across] = outFirst ? [inputs, 1] : [1, outputs];
  const size = [room.input, outputs, inputs, along, across, block, bits] as const;
  const turned = 'packed' in form && form.order === 'inputs';
  const lying: readonly [number, number] = turned ? [1, outputs] : [room.lengthOf(inputs), 1];
  const weights = room.weights === 0 ? 0 : room.weights + 4 * tile.inputs.start;
  if (how.method === 'mse' && !needsWide(form)) {
    const { steps, zeros } = candidatesFor(form, weights !== 0);
    const single = multipliers === undefined;
    const given = [symmetric, room.candidates, steps.length, zeros, single ? 1 : 0, weights] as const;
    const rest = [room.work, room.scale, room.zero, half && single, single ? room.out : 0, ...lying] as const;
    arena.kernels.searchBlocks(...size, ...given, ...rest);
    if (single) return;
  } else {
    findByRows(arena, room, tile, outFirst, form, how);
    if (half && multipliers === undefined) roundToHalf(arena, room, outputs * Math.ceil(inputs / block));
  }
  if (multipliers !== undefined) takeFactors(arena, room, size, weights);
  arena.kernels.takeCodes(...size, room.scale, room.zero, room.work, room.out, ...lying);
}

/** Makes each scale a small integer times the step of its output. */
function takeFactors(
  arena: Arena,
  room: Room,
  size: readonly [number, number, number, number, number, number, number],
  weights: number,
): void {
  const [, outputs, inputs, , , block] = size;
  const blocks = Math.ceil(inputs / block);
  const rest = [room.fractions, FRACTIONS.length, weights, room.work, room.step, room.factor, room.known] as const;
  arena.kernels.chooseFactors(...size, room.scale, ...rest);
  const scales = arena.floats(room.scale, outputs * blocks);
  const factors = new Int8Array(arena.bytes(room.factor, scales.length));
  const steps = arena.floats(room.step, outputs);
  for (let output = 0, at = 0; output < outputs; output++) {
    const step = steps[output] as number;
    for (let index = 0; index < blocks; index++, at++) scales[at] = (factors[at] as number) * step;
  }
}

/** By the reference, a row at a time: methods and widths that no kernel has. */
function findByRows(arena: Arena, room: Room, tile: Tile, outFirst: boolean, form: Coded, how: SearchHow): void {
  const [outputs, inputs] = [tile.outputs.length, tile.inputs.length];
  const blocks = Math.ceil(inputs / form.block);
  const data = arena.floats(room.input, outputs * inputs);
  const scales = arena.floats(room.scale, outputs * blocks);
  const zeros = form.symmetric ? undefined : arena.bytes(room.zero, outputs * blocks);
  const weights = weightsOf(how.importance)?.subarray(tile.inputs.start, tile.inputs.start + inputs);
  const find = finder(form, how.method, weights !== undefined);
  const empty = form.multipliers === undefined ? 1 : 0;
  const row = new Float32Array(inputs);
  for (let output = 0, at = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      row[input] = data[outFirst ? output * inputs + input : input * outputs + output] as number;
    }
    for (let index = 0; index < blocks; index++, at++) {
      const one = blockOf(row, inputs, form.block, 0, index, weights);
      const grid = find(one);
      scales[at] = grid?.scale ?? empty;
      if (zeros !== undefined) zeros[at] = grid?.zero ?? middleOf(form.bits);
    }
  }
}

/** Scales become numbers that float16 has, as `halfOf` of search.ts makes them. */
function roundToHalf(arena: Arena, room: Room, count: number): void {
  const { kernels } = arena;
  kernels.floatToHalf(room.scale, count, room.half);
  const halves = new Uint16Array(arena.bytes(room.half, 2 * count).buffer, room.half, count);
  for (let at = 0; at < count; at++) {
    const half = halves[at] as number;
    const magnitude = half & 0x7fff;
    if (magnitude === 0) halves[at] = half | 1;
    else if (magnitude >= INFINITY) halves[at] = (half & 0x8000) | (INFINITY - 1);
  }
  kernels.halfToFloat(room.half, count, room.scale);
}
