import type { Span } from '../slices.ts';
import { blocksIn, type Coded, type MatrixShape } from './codes.ts';

/** Elements of a matrix in the arena at a time: 2 Mi, or 4 Mi if inputs are far apart. */
const LIMIT: number = 1 << 21;
/** Codes in the arena at a time. */
const CODES: number = 1 << 24;

/** The layout of a matrix, and how it is encoded. */
export type Cut = MatrixShape & {
  /** Whether it is stored as `[outputs, inputs]`; otherwise as `[inputs, outputs]`. */
  readonly outFirst: boolean;
};

/** Outputs and inputs of a matrix that are computed together, the inputs in whole blocks. */
export interface Tile {
  readonly outputs: Span;
  readonly inputs: Span;
}

/** Outputs and inputs whose codes leave the arena together. */
export interface Band extends Tile {
  /** Its tiles, each with all its outputs; the first is the largest. */
  readonly tiles: readonly Tile[];
}

/**
 * The unit in which threads share the work: blocks of inputs, so that each reads a contiguous range; or outputs, if
 * those are contiguous or the scales of an output depend on each other.
 */
export function shareOf({ outFirst }: Pick<Cut, 'outFirst'>, form: Coded): 'outputs' | 'blocks' {
  return outFirst || form.multipliers !== undefined ? 'outputs' : 'blocks';
}

/** The number of these units. */
export function sharesIn(matrix: Cut, form: Coded): number {
  return shareOf(matrix, form) === 'outputs' ? matrix.outputs : blocksIn(form);
}

/** Cuts a part of a matrix into bands; the first is the largest. @param wanted - in the unit of {@link shareOf} */
export function* bandsOf(matrix: Cut, form: Coded, wanted: Span): Generator<Band> {
  const { outputs, inputs, outFirst } = matrix;
  const { block } = form;
  if (shareOf(matrix, form) === 'outputs') {
    const step = most16((outFirst ? LIMIT : 2 * LIMIT) / inputs);
    for (const own of cut(wanted, step)) {
      const tile = { outputs: own, inputs: { start: 0, length: inputs } };
      yield { ...tile, tiles: [tile] };
    }
    return;
  }
  const beside = Math.min(outputs, most16(LIMIT / block));
  const step = Math.max(1, Math.floor(LIMIT / (beside * block)));
  const blocks = step * Math.max(1, Math.floor(CODES / (beside * block * step)));
  const inputsOf = ({ start, length }: Span): Span => {
    const first = start * block;
    return { start: first, length: Math.min(inputs, first + length * block) - first };
  };
  for (const some of cut({ start: 0, length: outputs }, beside)) {
    for (const own of cut(wanted, blocks)) {
      const tiles = [...cut(own, step)].map((one) => ({ outputs: some, inputs: inputsOf(one) }));
      yield { outputs: some, inputs: inputsOf(own), tiles };
    }
  }
}

/** Rounds to a multiple of 16, because the kernel processes that many outputs together. */
function most16(count: number): number {
  return Math.max(16, Math.floor(count / 16) * 16);
}

function* cut({ start, length }: Span, step: number): Generator<Span> {
  for (let done = 0; done < length; done += step) {
    yield { start: start + done, length: Math.min(step, length - done) };
  }
}
