import type { DType } from '../../ir/dtype.ts';

/** Elements of a tensor as ONNX Runtime's JavaScript takes and gives them: float16 as its bits, bool as 0 and 1. */
export type FeedData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor that goes into a model or comes out of one: what `new ort.Tensor(dtype, data, dims)` takes. */
export interface FeedTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: FeedData;
}

/** What a model is fed at once: one row, or a batch of several. */
export interface Sample {
  /** Where it is from, e.g. `calib.npz, rows 8-15`. */
  readonly label: string;
  /** A tensor for every input of the model, by name. */
  readonly feeds: Readonly<Record<string, FeedTensor>>;
  /** The true classes of these rows, where the data has an array `__labels__`. */
  readonly labels?: FeedTensor;
}

/** Input data for one model. It is read while it is iterated, and is never in memory as a whole. */
export interface DataSet {
  /** One line for people, e.g. `calib.npz: 512 samples`. */
  readonly description: string;
  /** How many samples there are, where that is known before they are read. */
  readonly count?: number;
  /**
   * The samples in the order of the files, always the same. May be iterated several times.
   * @throws CompressError `data` when a file is broken, or holds values the model cannot take; it names the sample
   */
  samples(): AsyncIterable<Sample>;
}

/** Name of an array with the true classes of the rows, in files that have one. */
export const LABELS = '__labels__';
