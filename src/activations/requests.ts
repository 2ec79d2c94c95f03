import type { Model } from '../ir/model.ts';
import type { PatchGeometry } from '../kernels/importance/patches.ts';
import type { ObserverKind } from '../kernels/observe/names.ts';
import type { Multiply } from '../kernels/products.ts';
import type { ActivationRange } from './ranges.ts';

/**
 * Vectors of a value that a weight is multiplied with: along an axis (negative counts from the end), or the patches
 * under the kernel of a convolution.
 */
export type Vectors =
  | { readonly kind: 'matrix'; readonly value: string; readonly axis: number }
  | { readonly kind: 'patches'; readonly value: string; readonly geometry: PatchGeometry };

/** Vectors that are summed together with those of other sources; `factor` is their weight. */
export type Source = Vectors & { readonly factor: number };

/**
 * Asks for the range that an observer chooses for 8 bits; with `channels`, also for means, powers and peaks along that
 * axis.
 */
export interface RangeRequest {
  readonly what: 'range';
  /** Name of a value of the main graph or of a branch of If; see `Places`. */
  readonly value: string;
  readonly observer: ObserverKind;
  /** Percentage of the elements that the observer `percentile` keeps. */
  readonly percentile: number;
  /** Axis of the channels; negative counts from the end. */
  readonly channels?: number;
}

/** Asks for the L2 norm of each channel of a value: `√(Σ x²)`. */
export interface NormsRequest {
  readonly what: 'norms';
  readonly value: string;
  /** Axis of the channels; negative counts from the end. */
  readonly axis: number;
}

/** Asks for `Σ x xᵀ` or `Σ x²` over all vectors of some sources, e.g. of all nodes that share a weight. */
export interface SumRequest {
  readonly what: 'gram' | 'squares';
  readonly sources: readonly Source[];
  /** Number of groups of a grouped convolution, each with its own sums; 1 otherwise. */
  readonly groups: number;
  /** Elements per vector. */
  readonly columns: number;
  /** If true, the values are computed but not summed, because the sums are not needed. */
  readonly idle?: boolean;
}

/** Asks for `E[x]`, and with `moments` also for `E[x xᵀ]`, of the vectors that one layer reads. */
export interface MomentsRequest {
  readonly what: 'means' | 'moments';
  readonly source: Vectors;
  /** Elements per vector. */
  readonly columns: number;
}

/** The channel axis of a value that these vectors are taken from; negative counts from the end. */
export function channelAxis(vectors: Vectors): number {
  return vectors.kind === 'matrix' ? vectors.axis : 1;
}

/** A question about the activations of a model. */
export type Request = RangeRequest | NormsRequest | SumRequest | MomentsRequest;

/** What was observed about the elements of a value. */
export interface RangeAnswer {
  /** Undefined if no element was finite. */
  readonly range: ActivationRange | undefined;
  /** Number of finite elements; `nonFinite` is the number of those that are infinite or NaN. */
  readonly count: number;
  readonly nonFinite: number;
}

/** Sums over vectors. */
export interface Sums {
  /** `Σ x xᵀ` as `[groups, columns, columns]`, or `Σ x²` as `[groups, columns]`. */
  readonly sums: Float64Array;
  /** Number of vectors summed in each group. */
  readonly rows: number;
  /** Number of vectors before sampling; absent if all were summed. */
  readonly of?: number;
}

/** Moments of vectors, over every sample and every position that a layer is applied to. */
export interface Moments {
  /** Number of vectors summed. */
  readonly count: number;
  /** `E[x]`, `[columns]`. */
  readonly mean: Float64Array;
  /** `E[x xᵀ]`, `[columns, columns]`; undefined if only means were requested. */
  readonly gram: Float64Array | undefined;
}

/**
 * The answer to each kind of request. Norms and moments are undefined if the value has other dimensions than stated.
 */
export interface Answers {
  readonly range: RangeAnswer;
  readonly norms: Float64Array | undefined;
  readonly gram: Sums;
  readonly squares: Sums;
  readonly means: Moments | undefined;
  readonly moments: Moments | undefined;
}

/** The type of the answer to one kind of request. */
export type AnswerTo<R extends Request> = Answers[R['what']];

/** The number of this call and the total number of calls, for progress. */
export interface Part {
  readonly index: number;
  readonly count: number;
}

/**
 * Answers requests about a model's activations; implemented by code that can run the model on data. `R` are the
 * requests it can answer: by default those of Wanda and SparseGPT.
 */
export interface Activations<R extends Request = SumRequest> {
  /**
   * Runs the model as it is now on all of the data. Nodes that no requested value depends on are not run.
   * @returns one answer per request, in the same order
   */
  measure(model: Model, requests: readonly R[], part: Part): Promise<readonly AnswerTo<R>[]>;
  /** Multiplies large matrices; absent if the runtime is no faster at it than this thread. */
  readonly multiply?: Multiply;
  /** Takes back sums that are no longer read, so that their memory can hold the next ones. */
  reuse?(sums: Float64Array): void;
}
