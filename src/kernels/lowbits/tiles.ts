import type { Span } from '../slices.ts';
import { blocksIn, type Coded, type MatrixShape } from './codes.ts';

/** Elements of a matrix that are in the arena at a time: 2 Mi, where all inputs lie far apart 4 Mi. */
const LIMIT: number = 1 << 21;
/** Codes that are in the arena at a time. */
const CODES: number = 1 << 24;

/** How a matrix lies, and what is made of it. */
export type Cut = MatrixShape & {
  /** Whether it lies as `[outputs, inputs]`, else as `[inputs, outputs]`. */
  readonly outFirst: boolean;
};

/** Outputs and inputs of a matrix that are computed together, the inputs in whole blocks. */
export interface Tile {
  readonly outputs: Span;
  readonly inputs: Span;
}

/** Outputs and inputs whose codes leave the arena together. */
export interface Band extends Tile {
  /** Its parts, all of them with its outputs; the first is the largest. */
  readonly tiles: readonly Tile[];
}

/**
 * What threads share: blocks of inputs, so that what they read lies in one piece; outputs, where those do so, or where
 * the scales of an output depend on one another.
 */
export function shareOf({ outFirst }: Pick<Cut, 'outFirst'>, form: Coded): 'outputs' | 'blocks' {
  return outFirst || form.multipliers !== undefined ? 'outputs' : 'blocks';
}

/** How many there are of what threads share. */
export function sharesIn(matrix: Cut, form: Coded): number {
  return shareOf(matrix, form) === 'outputs' ? matrix.outputs : blocksIn(form);
}

/** Cuts a part of a matrix; the first band is the largest. @param wanted - of what threads share */
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

/** A multiple of 16, as the kernel takes so many outputs together. */
function most16(count: number): number {
  return Math.max(16, Math.floor(count / 16) * 16);
}

function* cut({ start, length }: Span, step: number): Generator<Span> {
  for (let done = 0; done < length; done += step) {
    yield { start: start + done, length: Math.min(step, length - done) };
  }
}
