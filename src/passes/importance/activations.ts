import type { Model } from '../../ir/model.ts';
import type { PatchGeometry } from '../../kernels/importance/patches.ts';

/** Activations that meet a weight: vectors of `columns` elements. */
export type Source =
  /** Along the last axis of a value, or the one before it. */
  | { readonly kind: 'matrix'; readonly value: string; readonly axis: -1 | -2; readonly factor: number }
  /** Under the kernel of a convolution. */
  | { readonly kind: 'patches'; readonly value: string; readonly geometry: PatchGeometry; readonly factor: number };

/** Sums over all activations of some sources, e.g. of all nodes that share a weight; `factor` weighs a source's. */
export interface Wanted {
  readonly what: 'gram' | 'squares';
  readonly sources: readonly Source[];
  /** How many groups of channels do not meet, each with its own sums; 1 but for grouped convolutions. */
  readonly groups: number;
  readonly columns: number;
}

/** What was summed. */
export interface Moments {
  /** `Σ x xᵀ` as `[groups, columns, columns]`, or `Σ x²` as `[groups, columns]`. */
  readonly sums: Float64Array;
  /** How many vectors were summed in each group. */
  readonly rows: number;
  /** How many there were; absent where all were summed. */
  readonly of?: number;
}

/** A model that can be run on data. */
export interface Activations {
  /**
   * Runs the model, as it is now, on all of the data.
   * @param part - this is call `index` of `count`, for progress
   * @returns in the order of `wanted`
   */
  measure(
    model: Model,
    wanted: readonly Wanted[],
    part: { readonly index: number; readonly count: number },
  ): Promise<readonly Moments[]>;
}

/** Somewhere to put bytes, so that the weights of a large model are not in memory until it is written. */
export interface Scratch {
  /** Keeps a copy; what it gives back reads it again. */
  keep(bytes: Uint8Array): Promise<() => Promise<Uint8Array>>;
}
