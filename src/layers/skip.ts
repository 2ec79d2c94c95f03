import type { DType } from '../ir/dtype.ts';
import type { ExtendedReal } from '../kernels/real.ts';

/** Why a weight was left unchanged. */
export type SkipReason =
  | 'excluded_by_user' // `include`, `exclude` or `opTypes` leave it out
  | 'not_float' // its elements are integers, strings or 8-bit floats
  | 'already_quantized' // it is integers or codes that are made real, or its operator is an integer one
  | 'below_min_elements' // smaller than `minElements`
  | 'among_smallest' // one of the weights that together make 1 % of the model
  | 'little_gain' // 8 bits of it would take much of the signal for the bytes that they save
  | 'before_log' // its product goes through a logarithm
  | 'no_product' // a table whose rows meet no product
  | 'rotary' // a table of cosines or sines that turn queries and keys
  | 'amount_exceeds_size' // fewer weights than an amount that is a number asks to prune
  | 'no_such_axis' // it has no axis like the one slices or groups are asked for along
  | 'group_exceeds_size' // N:M: fewer inputs than a group
  | 'not_in_file' // masks, scores or amounts are given, and none for it
  | 'non_finite' // it holds NaN or infinity
  | 'out_of_range' // float16: it holds numbers beyond the largest
  | 'too_small' // float16: its numbers are too small to keep their digits
  | 'graph_input' // it is not a constant: a graph input without a value
  | 'low_sqnr' // an activation loses more to 8 bits than `minNodeSqnr` allows
  | 'not_reached' // importance from data: the data gives it no activations that can be seen
  | 'no_importance' // importance from data: what it is worth cannot be told from its activations
  | 'not_calibrated' // no range is known for an activation
  | 'unfused_island' // integers would not be faster there
  | 'unsupported_op' // no form for this operator
  | 'unpruned_op' // prune: weights of this operator are not pruned
  | 'unknown_codes' // dequantize: what its integers or codes stand for is not known
  | 'unsupported_rank' // no form for a weight of this rank
  | 'unknown_rank' // the form needs the rank of the input, which the file does not tell
  | 'mixed_dtype' // one global threshold cannot span float64 and smaller floats
  | 'constant_result' // it is multiplied by a constant, so ONNX Runtime computes the product once
  | 'in_function' // inside a local function
  | 'sparse' // stored as a sparse tensor
  | 'no_gain' // pack: stored in another way it would not be smaller
  | 'too_large' // pack: ONNX Runtime would not unpack it when it loads the model
  | 'fixed_channels' // channels: its channels belong to a graph input or output
  | 'pinned_channels' // channels: an operator fixes their number, or is not followed
  | 'too_few_channels' // channels: the amount and the rounding leave none to remove
  | 'used_in_training' // training_info refers to it by name
  | 'opset_too_old'; // the model's opset has no operator for it and could not be raised
/** One weight that was left unchanged. */
export interface Skip {
  readonly weight: string;
  readonly node: string;
  readonly opType: string;
  readonly elements: number;
  /** Size in bytes; 0 if there is no tensor. */
  readonly bytes: number;
  readonly reason: SkipReason;
  /** The reason as a sentence, with the facts. */
  readonly detail: string;
}

/** One weight that was changed. */
export interface Change {
  readonly weight: string;
  /** Names of the nodes that use it, and their operators. */
  readonly nodes: readonly string[];
  readonly opType: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly elements: number;
  /** Size of the weight before and after, in bytes. */
  readonly before: number;
  readonly after: number;
  /** prune: number of weights that are now zero. pack: number of weights that are left out. */
  readonly zeros?: number;
  /** quantize: what was written in its place, e.g. `dynamic int8 per-channel`. prune: which slices or groups. */
  readonly form?: string;
  /** quantize: the fewest bits of its forms, if fewer than 8. */
  readonly bits?: number;
  /**
   * quantize: signal-to-quantization-noise ratio of the weight in dB, the worst one if nodes read it in several forms.
   * It is measured while the model is written: undefined before, and for forms that do not measure it.
   */
  readonly sqnr?: ExtendedReal | undefined;
  /** quantize: why it has no better form, or none for one of its readers. */
  readonly instead?: {
    readonly reason: SkipReason;
    /** The reason as a sentence, with the fact. */
    readonly detail: string;
    /** Whether that reader still uses the float weight. */
    readonly kept: boolean;
  };
}
