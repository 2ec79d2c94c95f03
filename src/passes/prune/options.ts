import type { Selection } from '../select.ts';

/** Operators whose weights can be pruned. */
export const PRUNABLE_OPS = ['Gemm', 'MatMul', 'Conv', 'ConvTranspose'] as const;

export interface PruneOptions extends Selection {
  /** What makes a weight unimportant: its magnitude (for single weights l1 and l2 order alike), or chance. */
  readonly method: 'l1' | 'l2' | 'random';
  /** A fraction between 0 and 1 of the weights, or, from 1 on, a whole number of weights: of each tensor, or of all. */
  readonly amount: number;
  /** `tensor`: every weight tensor loses `amount` of its own. `global`: the least important ones of all together. */
  readonly scope?: 'tensor' | 'global';
  /** For `random`: the same seed prunes the same weights on every machine. */
  readonly seed?: number;
}

export const PRUNE_DEFAULTS: Required<Pick<PruneOptions, 'scope' | 'seed' | 'opTypes'>> = {
  scope: 'tensor',
  seed: 0,
  opTypes: PRUNABLE_OPS,
};

/** Options with every default in its place. */
export type Settled = PruneOptions & Required<Pick<PruneOptions, 'scope' | 'seed' | 'opTypes'>>;
