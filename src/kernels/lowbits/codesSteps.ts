import { measured, Reader, type StreamedFormat } from '../linearSteps.ts';
import { Losses } from '../loss.ts';
import type { Arena } from '../simd/arena.ts';
import { LOWBITS_NOTES } from '../simd/kernels.ts';
import type { Span } from '../slices.ts';
import type { Steps } from '../steps.ts';
import { candidatesFor, needsWide, REFITS } from './candidates.ts';
import { type BlockForm, blocksIn, type Codes, type MatrixShape, type Multipliers, middleOf } from './codes.ts';
import { FRACTIONS } from './factors.ts';
import { blockOf, finder, halfOf, type SearchHow, weightsOf } from './search.ts';

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

/** How codes are chosen, and what scales they have. */
export interface CodesHow extends SearchHow {
  /** Whether each scale is a small integer times the step of its output. */
  readonly multipliers?: boolean;
}

/** Codes, and what they lose. */
export interface CodesAndLoss {
  readonly codes: Codes;
  readonly signal: number;
  readonly noise: number;
}

/** Room in the arena for a strip, and what is the same for all of them. */
class Room {
  readonly input: number;
  readonly work: number;
  readonly scale: number;
  readonly zero: number;
  readonly out: number;
  readonly step: number;
  readonly factor: number;
  readonly tried: number;
  readonly range: number;
  readonly weights: number;
  readonly candidates: number;
  readonly fractions: number;

  constructor(arena: Arena, reader: Reader, strip: number, inputs: number, form: BlockForm, how: CodesHow) {
    const blocks = blocksIn({ inputs, block: form.block });
    const floats = (values: ArrayLike<number>): number => {
      const at = arena.allocate(4 * values.length);
      arena.floats(at, values.length).set(values);
      return at;
    };
    this.input = reader.input;
    this.work = arena.allocate(LOWBITS_NOTES + 16 * form.block * (how.multipliers ? blocks : 1));
    this.scale = arena.allocate(4 * strip * blocks);
    this.zero = form.symmetric ? 0 : arena.allocate(strip * blocks);
    this.out = arena.allocate(strip * inputs);
    this.step = arena.allocate(4 * strip);
    this.factor = arena.allocate(strip * blocks);
    this.tried = arena.allocate(16 * blocks);
    this.range = arena.allocate(8 * Math.max(strip, inputs));
    const weights = weightsOf(how.importance);
    this.weights = weights === undefined ? 0 : floats(weights);
    this.candidates = floats(candidatesFor(form).steps);
    this.fractions = floats(FRACTIONS);
  }
}

/**
 * As `searchCodes` of search.ts and `searchMultipliers` of multipliers.ts, a strip of outputs at a time. Writes nothing.
 * @returns codes of the wanted outputs; undefined where a number is NaN or infinite
 */
export function* codesSteps(
  arena: Arena,
  matrix: CodesMatrix,
  form: BlockForm,
  how: CodesHow,
): Steps<CodesAndLoss | undefined> {
  const { inputs, outFirst, wanted } = matrix;
  const blocks = blocksIn({ inputs, block: form.block });
  const most = Math.floor((outFirst ? LIMIT : 2 * LIMIT) / inputs);
  const strip = Math.min(wanted.length, Math.max(16, most - (most % 16)));
  const reader = new Reader(arena, matrix.format, strip * inputs);
  const room = new Room(arena, reader, strip, inputs, form, how);
  const losses = new Losses();
  const codes = new Uint8Array(wanted.length * inputs);
  const scales = new Float32Array(wanted.length * blocks);
  const zeros = form.symmetric ? undefined : new Uint8Array(wanted.length * blocks);
  const multipliers: Multipliers | undefined = how.multipliers
    ? { steps: new Float32Array(wanted.length), factors: new Int8Array(wanted.length * blocks) }
    : undefined;
  for (let done = 0; done < wanted.length; done += strip) {
    const count = Math.min(strip, wanted.length - done);
    yield* readStrip(reader, matrix, wanted.start + done, count);
    multiply(arena.floats(room.input, count * inputs), matrix.factor);
    if (!allFinite(arena, room, matrix, count)) return undefined;
    findScales(arena, room, { outputs: count, inputs }, outFirst, form, how);
    const { kernels } = arena;
    const [along, across] = outFirst ? [inputs, 1] : [1, count];
    const size = [room.input, count, inputs, along, across, form.block, form.bits] as const;
    kernels.takeCodes(...size, room.scale, room.zero, room.work, room.out);
    measured(arena, losses);
    codes.set(arena.bytes(room.out, count * inputs), done * inputs);
    scales.set(arena.floats(room.scale, count * blocks), done * blocks);
    if (zeros !== undefined) zeros.set(arena.bytes(room.zero, count * blocks), done * blocks);
    multipliers?.steps.set(arena.floats(room.step, count), done);
    multipliers?.factors.set(new Int8Array(arena.bytes(room.factor, count * blocks)), done * blocks);
  }
  const { signal, noise } = losses;
  const made = { ...form, outputs: wanted.length, inputs, codes, scales, zeros };
  return { codes: multipliers === undefined ? made : { ...made, multipliers }, signal, noise };
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

/** Leaves scales, zero points, steps and factors of a strip in the room. */
function findScales(
  arena: Arena,
  room: Room,
  shape: MatrixShape,
  outFirst: boolean,
  form: BlockForm,
  how: CodesHow,
): void {
  const { outputs, inputs } = shape;
  const { bits, block, symmetric, half } = form;
  const blocks = blocksIn({ inputs, block });
  const [along, across] = outFirst ? [inputs, 1] : [1, outputs];
  const size = [room.input, outputs, inputs, along, across, block, bits] as const;
  const empty = how.multipliers ? 0 : 1;
  if (how.method === 'mse' && !needsWide(form)) {
    const { steps, zeros } = candidatesFor(form);
    const tries = [room.candidates, steps.length, zeros, REFITS] as const;
    arena.kernels.searchBlocks(...size, symmetric, ...tries, empty, room.weights, room.work, room.scale, room.zero);
  } else {
    findByRows(arena, room, shape, outFirst, form, how);
  }
  const scales = arena.floats(room.scale, outputs * blocks);
  if (!how.multipliers) {
    if (half) for (let at = 0; at < scales.length; at++) scales[at] = halfOf(scales[at] as number);
    return;
  }
  const rest = [room.fractions, FRACTIONS.length, room.weights, room.work, room.step, room.factor, room.tried] as const;
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
  form: BlockForm,
  how: CodesHow,
): void {
  const blocks = blocksIn({ inputs, block: form.block });
  const data = arena.floats(room.input, outputs * inputs);
  const scales = arena.floats(room.scale, outputs * blocks);
  const zeros = form.symmetric ? undefined : arena.bytes(room.zero, outputs * blocks);
  const find = finder(form, how.method);
  const weights = weightsOf(how.importance);
  const empty = how.multipliers ? 0 : 1;
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
