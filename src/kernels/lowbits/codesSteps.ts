import { measured, Reader, type StreamedFormat } from '../linearSteps.ts';
import { Losses } from '../loss.ts';
import type { Arena } from '../simd/arena.ts';
import type { Span } from '../slices.ts';
import type { Steps } from '../steps.ts';
import type { PackedCodes } from './codes.ts';
import { type BlockForm, blocksIn, type Coded, type Codes, type MatrixShape, middleOf, type Order } from './codes.ts';
import { fillUp } from './pack.ts';
import { type CodesHow, findScales, Room } from './strips.ts';

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

/** Codes, and what they lose. */
export interface CodesAndLoss<C extends Coded = Codes | PackedCodes> {
  readonly codes: C;
  readonly signal: number;
  readonly noise: number;
}

/**
 * As `searchCodes` of search.ts and `searchMultipliers` of multipliers.ts, a strip of outputs at a time. Writes nothing.
 * @param order - in which the codes are packed; one by one where undefined
 * @returns codes of the wanted outputs; undefined where a number is NaN or infinite
 */
export function* codesSteps(
  arena: Arena,
  matrix: CodesMatrix,
  form: BlockForm,
  how: CodesHow,
  order?: Order,
): Steps<CodesAndLoss | undefined> {
  const { inputs, outFirst, wanted } = matrix;
  const most = Math.floor((outFirst ? LIMIT : 2 * LIMIT) / inputs);
  const strip = Math.min(wanted.length, Math.max(16, most - (most % 16)));
  const reader = new Reader(arena, matrix.format, strip * inputs);
  const room = new Room(arena, reader, strip, inputs, form, how);
  const losses = new Losses();
  const made = new Made({ outputs: wanted.length, inputs }, form, how, order);
  for (let done = 0; done < wanted.length; done += strip) {
    const count = Math.min(strip, wanted.length - done);
    yield* readStrip(reader, matrix, wanted.start + done, count);
    multiply(arena.floats(room.input, count * inputs), matrix.factor);
    if (!allFinite(arena, room, matrix, count)) return undefined;
    findScales(arena, room, { outputs: count, inputs }, outFirst, form, how);
    const [along, across] = outFirst ? [inputs, 1] : [1, count];
    const size = [room.input, count, inputs, along, across, form.block, form.bits] as const;
    const lying = made.lying(count);
    arena.kernels.takeCodes(...size, room.scale, room.zero, room.work, room.out, ...lying);
    measured(arena, losses);
    made.take(arena, room, done, count);
  }
  const { signal, noise } = losses;
  return { codes: made.codes, signal, noise };
}

/** What was made of the strips so far. */
class Made {
  readonly #shape: MatrixShape;
  readonly #form: BlockForm;
  readonly #order: Order | undefined;
  readonly #blocks: number;
  /** Of a row of codes. */
  readonly #length: number;
  readonly #bytes: Uint8Array;
  readonly #scales: Float32Array;
  readonly #zeros: Uint8Array | undefined;
  readonly #steps: Float32Array | undefined;
  readonly #factors: Int8Array;

  constructor(shape: MatrixShape, form: BlockForm, how: CodesHow, order: Order | undefined) {
    const { outputs, inputs } = shape;
    const blocks = blocksIn({ inputs, block: form.block });
    const length = order === undefined ? inputs : blocks * form.block;
    this.#shape = shape;
    this.#form = form;
    this.#order = order;
    this.#blocks = blocks;
    this.#length = length;
    this.#bytes = new Uint8Array(order === undefined ? outputs * length : (outputs * length * form.bits) / 8);
    this.#scales = new Float32Array(outputs * blocks);
    this.#zeros = form.symmetric ? undefined : new Uint8Array(outputs * blocks);
    this.#steps = how.multipliers ? new Float32Array(outputs) : undefined;
    this.#factors = new Int8Array(how.multipliers ? outputs * blocks : 0);
  }

  /** How far outputs, and the codes of an output, lie apart in the arena. */
  lying(count: number): readonly [number, number] {
    return this.#order === 'inputs' ? [1, count] : [this.#length, 1];
  }

  /** Takes the `count` outputs in the arena, which come after `done` others. */
  take(arena: Arena, room: Room, done: number, count: number): void {
    const blocks = this.#blocks;
    const [at, size] = [done * blocks, count * blocks];
    this.#scales.set(arena.floats(room.scale, size), at);
    this.#zeros?.set(arena.bytes(room.zero, size), at);
    if (this.#steps !== undefined) {
      this.#steps.set(arena.floats(room.step, count), done);
      this.#factors.set(new Int8Array(arena.bytes(room.factor, size)), at);
    }
    this.#takeCodes(arena, room, done, count);
  }

  #takeCodes(arena: Arena, room: Room, done: number, count: number): void {
    const length = this.#length;
    const [order, { bits }] = [this.#order, this.#form];
    const { outputs, inputs } = this.#shape;
    const laid = arena.bytes(room.out, count * length);
    if (order === undefined) {
      this.#bytes.set(laid, done * length);
      return;
    }
    const zeros = this.#zeros?.subarray(done * this.#blocks);
    fillUp(laid, { outputs: count, inputs, length }, order, (row) => {
      return zeros?.[(row + 1) * this.#blocks - 1] ?? middleOf(bits);
    });
    const rows = (length * bits) / 8;
    if (order === 'outputs') {
      if (bits < 8) arena.kernels.packBits(room.out, count * length, bits, room.out);
      this.#bytes.set(arena.bytes(room.out, count * rows), done * rows);
      return;
    }
    if (bits < 8) arena.kernels.packRows(room.out, length, count, bits, room.out);
    for (let row = 0; row < rows; row++) {
      this.#bytes.set(arena.bytes(room.out + row * count, count), row * outputs + done);
    }
  }

  /** All of them. */
  get codes(): Codes | PackedCodes {
    const [steps, factors, order] = [this.#steps, this.#factors, this.#order];
    const coded = { ...this.#form, ...this.#shape, scales: this.#scales, zeros: this.#zeros };
    const all = steps === undefined ? coded : { ...coded, multipliers: { steps, factors } };
    return order === undefined ? { ...all, codes: this.#bytes } : { ...all, order, packed: this.#bytes };
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
