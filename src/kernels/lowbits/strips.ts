import type { Reader } from '../linearSteps.ts';
import type { Arena } from '../simd/arena.ts';
import { LOWBITS_NOTES } from '../simd/kernels.ts';
import { candidatesFor, needsWide } from './candidates.ts';
import { blocksIn, type Coded, type Codes, type MatrixShape, middleOf, type PackedCodes } from './codes.ts';
import { FRACTIONS } from './factors.ts';
import { blockOf, finder, type SearchHow, weightsOf } from './search.ts';

/** The bits of infinity in float16. */
const INFINITY = 0x7c00;

/** Room in the arena for a strip, and what is the same for all of them. */
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

  /** Of a row of codes: with whole blocks where they are packed. */
  readonly length: number;

  constructor(arena: Arena, reader: Reader, strip: number, into: Codes | PackedCodes, how: SearchHow) {
    const { inputs, block, symmetric, half, multipliers } = into;
    const blocks = blocksIn(into);
    this.length = 'packed' in into ? blocks * block : inputs;
    const floats = (values: ArrayLike<number>): number => {
      const at = arena.allocate(4 * values.length);
      arena.floats(at, values.length).set(values);
      return at;
    };
    this.input = reader.input;
    this.work = arena.allocate(LOWBITS_NOTES + 16 * block * (multipliers === undefined ? 1 : blocks));
    this.scale = arena.allocate(4 * strip * blocks);
    this.zero = symmetric ? 0 : arena.allocate(strip * blocks);
    this.out = arena.allocate(strip * this.length);
    this.step = arena.allocate(4 * strip);
    this.factor = arena.allocate(strip * blocks);
    this.half = half ? arena.allocate(2 * strip * blocks) : 0;
    this.known = arena.allocate(32 * blocks);
    this.range = arena.allocate(8 * Math.max(strip, inputs));
    const weights = weightsOf(how.importance);
    this.weights = weights === undefined ? 0 : floats(weights);
    this.candidates = floats(candidatesFor(into, weights !== undefined).steps);
    this.fractions = floats(FRACTIONS);
  }
}

/** Leaves scales, zero points, steps and factors of a strip in the room. */
export function findScales(
  arena: Arena,
  room: Room,
  shape: MatrixShape,
  outFirst: boolean,
  form: Coded,
  how: SearchHow,
): void {
  const { outputs, inputs } = shape;
  const { bits, block, symmetric, half } = form;
  const blocks = blocksIn({ inputs, block });
  const [along, across] = outFirst ? [inputs, 1] : [1, outputs];
  const size = [room.input, outputs, inputs, along, across, block, bits] as const;
  const empty = form.multipliers === undefined ? 1 : 0;
  if (how.method === 'mse' && !needsWide(form)) {
    const { steps, zeros } = candidatesFor(form, room.weights !== 0);
    const tries = [room.candidates, steps.length, zeros] as const;
    arena.kernels.searchBlocks(...size, symmetric, ...tries, empty, room.weights, room.work, room.scale, room.zero);
  } else {
    findByRows(arena, room, shape, outFirst, form, how);
  }
  const scales = arena.floats(room.scale, outputs * blocks);
  if (form.multipliers === undefined) {
    if (half) roundToHalf(arena, room, scales.length);
    return;
  }
  const rest = [room.fractions, FRACTIONS.length, room.weights, room.work, room.step, room.factor, room.known] as const;
  arena.kernels.chooseFactors(...size, room.scale, ...rest);
  const factors = new Int8Array(arena.bytes(room.factor, outputs * blocks));
  const steps = arena.floats(room.step, outputs);
  scales.forEach((_, at) => {
    scales[at] = (factors[at] as number) * (steps[Math.floor(at / blocks)] as number);
  });
}

/** By the reference, a row at a time: methods and widths that no kernel has. */
function findByRows(
  arena: Arena,
  room: Room,
  { outputs, inputs }: MatrixShape,
  outFirst: boolean,
  form: Coded,
  how: SearchHow,
): void {
  const blocks = blocksIn({ inputs, block: form.block });
  const data = arena.floats(room.input, outputs * inputs);
  const scales = arena.floats(room.scale, outputs * blocks);
  const zeros = form.symmetric ? undefined : arena.bytes(room.zero, outputs * blocks);
  const weights = weightsOf(how.importance);
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
