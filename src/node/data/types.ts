import type { DType } from '../../ir/dtype.ts';

/**
 * Elements of a tensor as ONNX Runtime's JavaScript API takes and returns them: float16 as its bits, bool as 0 and 1.
 */
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

/** An input or output tensor of a model: the arguments of `new ort.Tensor(dtype, data, dims)`. */
export interface FeedTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: FeedData;
}

/** The inputs of one run: one row, or a batch of several. */
export interface Sample {
  /** Where the sample comes from, e.g. `calib.npz, rows 8-15`. */
  readonly label: string;
  /** A tensor for every input of the model, by name. */
  readonly feeds: Readonly<Record<string, FeedTensor>>;
  /** The true classes of these rows, if the data has an array `__labels__`. */
  readonly labels?: FeedTensor;
}

/** Input data for one model. It is read while it is iterated, and is never in memory as a whole. */
export interface DataSet {
  /** One line for people, e.g. `calib.npz: 512 samples`. */
  readonly description: string;
  /** Number of samples, if it is known before they are read. */
  readonly count?: number;
  /**
   * The samples in file order, the same on every iteration.
   * @throws CompressError `data` that names the sample, if a file is broken or holds values that the model cannot
   *   take
   */
  samples(): AsyncIterable<Sample>;
}

/** Name of an array with the true classes of the rows, in files that have one. */
export const LABELS = '__labels__';
