import type { Activations, MomentsRequest, NormsRequest } from '../../activations/requests.ts';
import type { Selection } from '../../layers/select.ts';
import { SELECTION_SHAPE, type Shape } from '../../options/check.ts';
import { DETAIL_ROWS, METHOD_ROWS } from '../../options/prune.ts';
import { type ChannelNorm, PRUNE_DEFAULT } from '../../options/pruneValues.ts';

export { CHANNEL_NORMS, type ChannelNorm } from '../../options/pruneValues.ts';

/** Operators whose output channels can be removed. */
export const CHANNEL_OPS = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'] as const;

/** The requests about activations that the pass makes. */
export type ChannelActivations = Activations<NormsRequest> & Activations<MomentsRequest>;

export interface ChannelOptions extends Selection {
  /** Fraction of channels to remove: of each group, or, with scope `global`, of all. */
  readonly amount: number;
  /**
   * `l1`, `l2`: magnitudes of the weights. `wanda`: magnitudes times the norms of activations, which `source` provides.
   */
  readonly norm?: ChannelNorm;
  /** `group`: every group loses `amount`. `global`: the least important channels of all groups are removed. */
  readonly scope?: 'group' | 'global';
  /**
   * The number of remaining channels of a group is rounded up to a multiple of this: kernels work on blocks of 8 or 16
   * channels.
   */
  readonly roundTo?: number;
  /**
   * Refit the layers that read removed channels by least squares; needs `source`. Without it, a source only corrects
   * their biases by the mean of what was removed.
   */
  readonly reconstruct?: boolean;
  /** Also remove features that LayerNormalization runs over, which changes its mean and variance. */
  readonly normalized?: boolean;
  readonly source?: ChannelActivations;
}

export const CHANNEL_DEFAULTS: Required<
  Pick<ChannelOptions, 'norm' | 'scope' | 'roundTo' | 'reconstruct' | 'normalized' | 'opTypes'>
> = {
  norm: 'l1',
  scope: 'group',
  roundTo: PRUNE_DEFAULT.roundTo,
  reconstruct: false,
  normalized: false,
  opTypes: CHANNEL_OPS,
};

const { norm, roundTo, reconstruct, normalized } = DETAIL_ROWS;

/** The accepted values of each option. */
export const CHANNEL_SHAPE: Shape<ChannelOptions> = {
  amount: METHOD_ROWS.channels,
  scope: ['group', 'global'],
  ...{ norm, roundTo, reconstruct, normalized },
  source: 'object',
  ...SELECTION_SHAPE,
};

/** Options with the defaults filled in. */
export type ResolvedOptions = ChannelOptions & typeof CHANNEL_DEFAULTS;
