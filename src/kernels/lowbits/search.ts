import { LARGEST } from '../halves.ts';
import { roundedToHalf } from '../rounded.ts';
import { asymmetricBase, type Block, emptyGrid, type Grid, symmetricBase, takeCodes } from './block.ts';
import { candidatesFor, needsWide } from './candidates.ts';
import { type BlockForm, blocksIn, type Codes, type MatrixShape, middleOf } from './codes.ts';
import { halfQuadraticGrid } from './halfQuadratic.ts';
import { ScaleSearch } from './scales.ts';

/**
 * How codes are chosen without data: `rtn` takes the scale at which all weights fit, `mse` searches for the smallest
 * squared error, `hqq` moves the zero point.
 */
export type SearchMethod = 'rtn' | 'mse' | 'hqq';

export interface SearchOptions {
  readonly method: SearchMethod;
  /** `[inputs]`, 0 or more: the weight of each input's error for `mse`. All equal if omitted. */
  readonly importance?: Float32Array | undefined;
}

/**
 * Encodes a matrix in a few bits.
 * @param matrix - `[outputs, inputs]`, all finite
 * @returns nearest codes for their scale and zero point; a weight of 0 stays 0
 * @throws RangeError for `hqq` in symmetric form, which has no zero point to move
 */
export function searchCodes(matrix: Float32Array, shape: MatrixShape, form: BlockForm, how: SearchOptions): Codes {
  const { outputs, inputs } = shape;
  const { bits, block, symmetric, half } = form;
  const blocks = blocksIn({ inputs, block });
  const codes = new Uint8Array(outputs * inputs);
  const scales = new Float32Array(outputs * blocks);
  const zeros = symmetric ? undefined : new Uint8Array(outputs * blocks);
  const weights = weightsOf(how.importance);
  const find = finder(form, how.method, weights !== undefined);
  for (let row = 0, at = 0; row < outputs; row++) {
    for (let index = 0; index < blocks; index++, at++) {
      const one = blockOf(matrix, inputs, block, row, index, weights);
      const { scale, zero } = find(one) ?? emptyGrid(middleOf(bits));
      const grid = { scale: half ? halfOf(scale) : scale, zero };
      takeCodes(one, grid, 2 ** bits - 1, codes);
      scales[at] = grid.scale;
      if (zeros !== undefined) zeros[at] = zero;
    }
  }
  return { bits, block, symmetric, half, outputs, inputs, codes, scales, zeros };
}

/** A block of a row. */
export function blockOf(
  data: Float32Array,
  inputs: number,
  block: number,
  row: number,
  index: number,
  weights: Float32Array | undefined,
): Block {
  const first = index * block;
  const start = row * inputs;
  return { data, start: start + first, end: start + Math.min(inputs, first + block), weights, first };
}

/**
 * Returns a function that finds the grid of a block; it returns undefined for a block of zeros.
 * @param weighted - whether blocks have weights
 * @throws RangeError for `hqq` in symmetric form
 */
export function finder(form: BlockForm, method: SearchMethod, weighted: boolean): (block: Block) => Grid | undefined {
  const { bits, symmetric } = form;
  if (method === 'mse') {
    const search = new ScaleSearch(candidatesFor(form, weighted), form, needsWide(form));
    return (block) => search.find(block);
  }
  if (method === 'rtn') return (block) => (symmetric ? symmetricRange(block, bits) : asymmetricRange(block, bits));
  if (symmetric) throw new RangeError('hqq adjusts zero points, which symmetric codes do not have');
  return (block) => halfQuadraticGrid(block, bits);
}

function symmetricRange(block: Block, bits: number): Grid | undefined {
  const base = symmetricBase(block, middleOf(bits));
  return base === undefined ? undefined : { scale: -base, zero: middleOf(bits) };
}

function asymmetricRange(block: Block, bits: number): Grid | undefined {
  const most = 2 ** bits - 1;
  const found = asymmetricBase(block, most);
  return found && { scale: found.base, zero: Math.min(most, Math.round(-found.min / found.base)) };
}

/**
 * Importance as weights of squared errors. The largest is 1, and none is 0, because an input unused in calibration may
 * still be used later. Undefined if all would be equal.
 */
export function weightsOf(importance: Float32Array | undefined): Float32Array | undefined {
  const most = importance?.reduce((largest, one) => Math.max(largest, one), 0) ?? 0;
  return most > 0 ? importance?.map((one) => one / most + 1e-8) : undefined;
}

/** The nearest float16 of the same sign that is neither 0 nor infinite. */
export function halfOf(scale: number): number {
  return Math.sign(scale) * Math.min(LARGEST.float16, roundedToHalf(Math.abs(scale)));
}
