import type { Results } from '../../activations/results.ts';
import { CompressError } from '../../errors.ts';
import { checkOpTypes, type Selection } from '../../layers/select.ts';
import { checkShape, SELECTION_SHAPE, type Shape } from '../../options/check.ts';
import { DETAIL_ROWS, METHOD_ROWS } from '../../options/prune.ts';
import { PRUNABLE_OPS, PRUNE_DEFAULT } from '../../options/pruneValues.ts';

/** Storage for bytes, so that the weights of a large model need not stay in memory until they are written. */
export interface Scratch {
  /** Stores a copy, and returns a function that reads it again. */
  keep(bytes: Uint8Array): Promise<() => Promise<Uint8Array>>;
}

/** Of every `of` neighbours along the input axis, at most `keep` are kept. */
export interface Pattern {
  readonly keep: number;
  readonly of: number;
}

export interface WandaOptions extends Selection {
  /** Fraction of the weights to prune, above 0 and below 1. With a pattern it follows from the pattern. */
  readonly amount: number;
  /** An N:M pattern instead of single weights. */
  readonly pattern?: Pattern;
  /**
   * Measure all layers on the unpruned model, in as few runs over the data as `gramBytes` allows. Otherwise each layer
   * is measured with those before it pruned.
   */
  readonly parallel?: boolean;
  /**
   * Bytes of memory for the sums of layers that are measured together. A layer that needs more by itself is skipped.
   */
  readonly gramBytes?: number;
  /** Results of layers, including those of an interrupted run. If omitted, they last as long as this run. */
  readonly results?: Results;
}

export interface SparseGptOptions extends WandaOptions {
  /** Added to the diagonal of the Hessian, as a fraction of its mean. */
  readonly damping?: number;
  /** Number of columns whose weights are chosen together. */
  readonly blockSize?: number;
  /** Where new weights are kept until they are written; in memory if omitted. */
  readonly scratch?: Scratch;
}

export const WANDA_DEFAULTS: Required<Pick<WandaOptions, 'parallel' | 'gramBytes' | 'opTypes'>> = {
  parallel: false,
  gramBytes: 2 ** 31,
  opTypes: PRUNABLE_OPS,
};

export const SPARSEGPT_DEFAULTS: typeof WANDA_DEFAULTS & Required<Pick<SparseGptOptions, 'damping' | 'blockSize'>> = {
  ...WANDA_DEFAULTS,
  damping: PRUNE_DEFAULT.damping,
  blockSize: PRUNE_DEFAULT.blockSize,
};

const { parallelLayers, damping, blockSize } = DETAIL_ROWS;

/** The accepted values of each option. */
const WANDA_SHAPE: Shape<WandaOptions> = {
  amount: METHOD_ROWS.wanda,
  pattern: 'object',
  parallel: parallelLayers,
  gramBytes: 'number',
  results: 'object',
  ...SELECTION_SHAPE,
};

const SPARSEGPT_SHAPE: Shape<SparseGptOptions> = {
  ...WANDA_SHAPE,
  ...{ amount: METHOD_ROWS.sparsegpt, damping, blockSize },
  scratch: 'object',
};

/** @throws CompressError `options` */
export function checkWanda(options: WandaOptions): void {
  checkShape('wanda', options, WANDA_SHAPE);
  checkTogether(options);
}

/** @throws CompressError `options` */
export function checkSparseGpt(options: SparseGptOptions): void {
  checkShape('sparsegpt', options, SPARSEGPT_SHAPE);
  checkTogether(options);
}

function checkTogether({ amount, pattern, blockSize, opTypes = [] }: SparseGptOptions): void {
  const refuse = (where: string, fact: string, hint?: string): never => {
    throw new CompressError('options', where, fact, hint === undefined ? {} : { hint });
  };
  if (amount === undefined) refuse('amount', 'is required');
  if (pattern !== undefined) {
    const { keep, of } = pattern;
    if (!Number.isSafeInteger(keep) || !Number.isSafeInteger(of) || keep < 1 || of <= keep) {
      refuse(
        'pattern',
        `${keep}:${of} is not a valid pattern; the first number must be at least 1, and the second larger`,
      );
    }
    const implied = 1 - keep / of;
    if (Math.abs(amount - implied) > 1e-6) {
      refuse(
        'amount',
        `is ${amount}, and ${keep}:${of} prunes ${implied}`,
        `Give ${implied}, or leave out the pattern.`,
      );
    }
    if (blockSize !== undefined && blockSize < of) refuse('blockSize', `${blockSize} is less than a group of ${of}`);
  }
  checkOpTypes(opTypes, PRUNABLE_OPS);
}
