import type { Model } from '../ir/model.ts';
import type { PatchGeometry } from '../kernels/importance/patches.ts';
import type { ObserverKind } from '../kernels/observe/names.ts';
import type { Multiply } from '../kernels/products.ts';
import type { ActivationRange } from './ranges.ts';

/**
 * Vectors of a value that meet a weight: those along an axis, counted from the end where it is negative, or those under
 * the kernel of a convolution.
 */
export type Vectors =
  | { readonly kind: 'matrix'; readonly value: string; readonly axis: number }
  | { readonly kind: 'patches'; readonly value: string; readonly geometry: PatchGeometry };

/** Vectors that are summed together with others; `factor` weighs them. */
export type Source = Vectors & { readonly factor: number };

/**
 * The range that an observer gives a value for 8 bits; with `channels`, also means, powers and peaks along that axis.
 */
export interface RangeRequest {
  readonly what: 'range';
  /** See `Places`: of the main graph, or of a branch of If. */
  readonly value: string;
  readonly observer: ObserverKind;
  /** Percent of the elements that the observer `percentile` keeps. */
  readonly percentile: number;
  /** From the end where it is negative. */
  readonly channels?: number;
}

/** The strength of each channel of a value: `√(Σ x²)`. */
export interface NormsRequest {
  readonly what: 'norms';
  readonly value: string;
  /** Of the channels, from the end where it is negative. */
  readonly axis: number;
}

/** `Σ x xᵀ` or `Σ x²` over all vectors of some sources, e.g. of all nodes that share a weight. */
export interface SumRequest {
  readonly what: 'gram' | 'squares';
  readonly sources: readonly Source[];
  /** How many groups of channels do not meet, each with its own sums; 1 but for grouped convolutions. */
  readonly groups: number;
  /** Elements of a vector. */
  readonly columns: number;
  /** Nobody needs the sums: the values are computed, and nothing is summed. */
  readonly idle?: boolean;
}

/** `E[x]`, and with `moments` also `E[x xᵀ]`, of the vectors that one layer reads. */
export interface MomentsRequest {
  readonly what: 'means' | 'moments';
  readonly source: Vectors;
  /** Elements of a vector. */
  readonly columns: number;
}

/** The axis of a value along which the channels of its vectors are, from the end where it is negative. */
export function channelAxis(vectors: Vectors): number {
  return vectors.kind === 'matrix' ? vectors.axis : 1;
}

/** A question about the activations of a model. */
export type Request = RangeRequest | NormsRequest | SumRequest | MomentsRequest;

/** What is known of the elements of a value. */
export interface RangeAnswer {
  /** Undefined where no element was finite. */
  readonly range: ActivationRange | undefined;
  /** How many elements were finite, and how many infinite or NaN. */
  readonly count: number;
  readonly nonFinite: number;
}

/** What was summed. */
export interface Sums {
  /** `Σ x xᵀ` as `[groups, columns, columns]`, or `Σ x²` as `[groups, columns]`. */
  readonly sums: Float64Array;
  /** How many vectors were summed in each group. */
  readonly rows: number;
  /** How many there were; absent where all were summed. */
  readonly of?: number;
}

/** Moments of vectors, over every sample and every position that a layer is applied to. */
export interface Moments {
  /** How many vectors were summed. */
  readonly count: number;
  /** `E[x]`: `[columns]`. */
  readonly mean: Float64Array;
  /** `E[x xᵀ]`: `[columns, columns]`; undefined if only means were asked for. */
  readonly gram: Float64Array | undefined;
}

/** What each question is answered with. Norms and moments are undefined if the value is of other dims than was said. */
export interface Answers {
  readonly range: RangeAnswer;
  readonly norms: Float64Array | undefined;
  readonly gram: Sums;
  readonly squares: Sums;
  readonly means: Moments | undefined;
  readonly moments: Moments | undefined;
}

/** The answer to one kind of question. */
export type AnswerTo<R extends Request> = Answers[R['what']];

/** Which call of how many this is, for progress. */
export interface Part {
  readonly index: number;
  readonly count: number;
}

/**
 * Answers about the activations of a model; they come from code that can run it on data. `R` are the questions that are
 * answered: by default those of Wanda and SparseGPT.
 */
export interface Activations<R extends Request = SumRequest> {
  /**
   * Runs the model, as it is now, on all of the data. Nodes that none of the values needs are not run.
   * @returns in the order of `requests`
   */
  measure(model: Model, requests: readonly R[], part: Part): Promise<readonly AnswerTo<R>[]>;
  /** Multiplies large matrices; absent where what runs the model is no faster at that than this thread. */
  readonly multiply?: Multiply;
}
