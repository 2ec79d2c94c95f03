import type { Model } from '../../ir/model.ts';
import type { Selection } from '../../layers/select.ts';
import type { Shape } from '../../options/check.ts';
import { CHANNEL_NORMS, type ChannelNorm, PRUNE_DEFAULT } from '../../options/prune.ts';

export { CHANNEL_NORMS, type ChannelNorm } from '../../options/prune.ts';

/** Operators whose output channels can be removed. */
export const CHANNEL_OPS = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'] as const;

/** Second moments of what a layer reads, over every sample and every position it is applied to. */
export interface Moments {
  /** How many vectors were seen. */
  readonly count: number;
  /** `Σ x / count`: length `size`. */
  readonly mean: Float64Array;
  /** `Σ x·xᵀ / count`, row-major `size × size`; undefined where only means were asked for. */
  readonly gram: Float64Array | undefined;
}

/** What one layer reads: a value, and how it is cut into vectors. */
export interface InputOf {
  /** Name of the value. */
  readonly value: string;
  /** Axis of the features or channels, from the end where negative. */
  readonly axis: number;
  /** Of a Conv: the windows it looks at. A vector is then `[channels × kernel]`. */
  readonly windows?: Windows;
}

/** The windows of a Conv, a number for each spatial axis; pads first all begins, then all ends. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

/** Where a pass asks about activations. The answers come from code that can run the model. */
export interface ActivationSource {
  /** For each value `√(Σ x²)` of each channel, over all samples; values that cannot be had are left out. */
  norms(model: Model, inputs: readonly InputOf[]): Promise<ReadonlyMap<string, Float64Array>>;
  /** Moments of each input, one after the other; undefined where they would need too much memory. */
  moments(
    model: Model,
    inputs: readonly (InputOf & { readonly size: number })[],
    what: 'means' | 'gram',
  ): AsyncIterable<{ readonly index: number; readonly moments: Moments | undefined }>;
}

export interface ChannelOptions extends Selection {
  /** The fraction of channels to remove: of each group, or, with scope `global`, of all. */
  readonly amount: number;
  /** `l1`, `l2`: magnitudes of the weights. `wanda`: those times the norms of activations, which `source` gives. */
  readonly norm?: ChannelNorm;
  /** `group`: every group loses `amount`. `global`: the least important channels of all groups together. */
  readonly scope?: 'group' | 'global';
  /** What is left of a group is rounded up to a multiple of this; kernels work on blocks of 8 or 16 channels. */
  readonly roundTo?: number;
  /**
   * Refits the layers that read removed channels by least squares; needs `source`. Without it, a source lets their
   * biases take in the mean of what is gone.
   */
  readonly reconstruct?: boolean;
  /** Whether features that LayerNormalization runs over may go, which changes its mean and variance. */
  readonly normalized?: boolean;
  readonly source?: ActivationSource;
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

/** What each option takes. */
export const CHANNEL_SHAPE: Shape<ChannelOptions> = {
  amount: 'number',
  norm: CHANNEL_NORMS,
  scope: ['group', 'global'],
  roundTo: 'number',
  reconstruct: 'flag',
  normalized: 'flag',
  source: 'object',
  opTypes: 'names',
  include: 'patterns',
  exclude: 'patterns',
};

/** Options with every default in its place. */
export type Settled = ChannelOptions & typeof CHANNEL_DEFAULTS;
