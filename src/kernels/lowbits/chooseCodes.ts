import type { Reader } from '../linearSteps.ts';
import type { Arena } from '../simd/arena.ts';
import { LOWBITS_NOTES } from '../simd/kernels.ts';
import { EMPTY_SCALE } from './block.ts';
import { candidatesFor, needsWide } from './candidates.ts';
import { type Coded, type Codes, middleOf, type PackedCodes } from './codes.ts';
import { FRACTIONS } from './factors.ts';
import { blockOf, finder, halfOf, type SearchOptions, weightsOf } from './search.ts';
import type { Band, Tile } from './tiles.ts';

/** Memory in the arena for a band, and the parameters that all bands share. */
export class Room {
  readonly input: number;
  readonly work: number;
  readonly scale: number;
  readonly zero: number;
  readonly out: number;
  readonly step: number;
  readonly factor: number;
  readonly known: number;
  readonly range: number;
  readonly weights: number;
  readonly candidates: number;
  readonly fractions: number;
  readonly #into: Codes | PackedCodes;

  /** @param largest - the largest of the bands */
  constructor(arena: Arena, reader: Reader, largest: Tile, tile: Tile, into: Codes | PackedCodes, how: SearchOptions) {
    const { block, symmetric, multipliers } = into;
    const strip = largest.outputs.length;
    const blocks = Math.ceil(largest.inputs.length / block);
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
    this.out = arena.allocate(strip * this.bytesFor(largest.inputs.length));
    this.step = arena.allocate(4 * strip);
    this.factor = arena.allocate(strip * blocks);
    this.known = arena.allocate(32 * blocks);
    this.range = arena.allocate(8 * Math.max(strip, tile.inputs.length));
    const weights = weightsOf(how.importance);
    this.weights = weights === undefined ? 0 : floats(weights);
    const { steps } = candidatesFor(into, weights !== undefined);
    this.candidates = arena.allocate(4 * steps.length);
    arena.int32s(this.candidates, steps.length).set(steps);
    this.fractions = floats(FRACTIONS);
  }

  /** Bytes for the codes of one output; packed codes fill whole blocks. */
  bytesFor(inputs: number): number {
    const { block, bits } = this.#into;
    return 'packed' in this.#into ? (Math.ceil(inputs / block) * block * bits) / 8 : inputs;
  }
}

/** A tile, and the band that contains it. */
interface Where {
  readonly band: Band;
  readonly tile: Tile;
}

/**
 * Writes scales, zero points, steps, factors and codes of a tile to their places in the room, and the loss to the
 * result.
 */
export function chooseCodes(
  arena: Arena,
  room: Room,
  { band, tile }: Where,
  outFirst: boolean,
  form: Codes | PackedCodes,
  how: SearchOptions,
): void {
  const [outputs, inputs] = [tile.outputs.length, tile.inputs.length];
  const { bits, block, symmetric, half, multipliers } = form;
  const [along, across] = outFirst ? [inputs, 1] : [1, outputs];
  const size = [room.input, outputs, inputs, along, across, block, bits] as const;
  const packed = 'packed' in form;
  const transposed = packed && form.order === 'inputs';
  const lying: readonly [number, number] = transposed ? [1, outputs] : [room.bytesFor(band.inputs.length), 1];
  const stride = Math.ceil(band.inputs.length / block);
  const first = tile.inputs.start - band.inputs.start;
  const [scale, zero] = [room.scale + (4 * first) / block, symmetric ? 0 : room.zero + first / block];
  const out = room.out + room.bytesFor(first) * lying[1];
  const weights = room.weights === 0 ? 0 : room.weights + 4 * tile.inputs.start;
  if (how.method === 'mse' && !needsWide(form)) {
    const { steps, zeros } = candidatesFor(form, weights !== 0);
    const single = multipliers === undefined;
    const given = [symmetric, room.candidates, steps.length, zeros, single ? EMPTY_SCALE : 0, weights] as const;
    const rest = [room.work, stride, scale, zero, half && single, single ? out : 0, ...lying, packed] as const;
    arena.kernels.searchBlocks(...size, ...given, ...rest);
    if (single) return;
  } else {
    findByRows(arena, { scale, zero, stride, input: room.input }, tile, outFirst, form, how);
  }
  if (multipliers !== undefined) takeFactors(arena, room, size, weights);
  arena.kernels.takeCodes(...size, stride, scale, zero, room.work, out, ...lying, packed);
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

/** Uses the reference, one row at a time, for methods and widths without a kernel. */
function findByRows(
  arena: Arena,
  { scale, zero, stride, input: from }: { readonly [name in 'scale' | 'zero' | 'stride' | 'input']: number },
  tile: Tile,
  outFirst: boolean,
  form: Coded,
  how: SearchOptions,
): void {
  const [outputs, inputs] = [tile.outputs.length, tile.inputs.length];
  const blocks = Math.ceil(inputs / form.block);
  const total = (outputs - 1) * stride + blocks;
  const data = arena.floats(from, outputs * inputs);
  const scales = arena.floats(scale, total);
  const zeros = form.symmetric ? undefined : arena.bytes(zero, total);
  const weights = weightsOf(how.importance)?.subarray(tile.inputs.start, tile.inputs.start + inputs);
  const find = finder(form, how.method, weights !== undefined);
  const single = form.multipliers === undefined;
  const row = new Float32Array(inputs);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      row[input] = data[outFirst ? output * inputs + input : input * outputs + output] as number;
    }
    for (let index = 0, at = output * stride; index < blocks; index++, at++) {
      const one = blockOf(row, inputs, form.block, 0, index, weights);
      const grid = find(one);
      const found = grid?.scale ?? (single ? EMPTY_SCALE : 0);
      scales[at] = form.half && single ? halfOf(found) : found;
      if (zeros !== undefined) zeros[at] = grid?.zero ?? middleOf(form.bits);
    }
  }
}
