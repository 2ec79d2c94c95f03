/** A fact about the whole model as data, for programs; `notes` has it as a sentence. */
export type PassFact = Folded | Deduplicated | Dequantized | ComputedHalf | StoredConvs;

/**
 * Conv whose weights are stored as integers and converted to float. With 8-bit activations they would run on integers.
 */
export interface StoredConvs {
  readonly kind: 'stored_convs';
  readonly weights: number;
  /** Estimated time if they ran on integers, relative to float, from the shapes of the weights. */
  readonly time: number;
}

/** Nodes that compute in float16. */
export interface ComputedHalf {
  readonly kind: 'float16';
  readonly nodes: number;
  /** Nodes that compute with floats and stay float32. */
  readonly kept: number;
  /** Number of inserted Casts. */
  readonly casts: number;
}

/** Equal tensors that were merged. */
export interface Deduplicated {
  readonly kind: 'deduplicated';
  /** Number of removed tensors, and their size in bytes. */
  readonly tensors: number;
  readonly bytes: number;
}

/** Activations that are floats again. */
export interface Dequantized {
  readonly kind: 'dequantized';
  /** Number of values that are no longer rounded to integers. */
  readonly values: number;
  /** Number of restored Relu, and Clip from 0 to 6, where integers had clipped values. */
  readonly relus: number;
  readonly clips: number;
}

/** Something that folding did, and how often. */
export type Folded = FoldAction & {
  readonly kind: 'folded';
  readonly count: number;
};

/** What folding can do. */
export type FoldAction =
  | {
      /**
       * - `apart`: a Sum was put after an output that ONNX Runtime would lose
       * - `constant`: a Constant node became an initializer
       * - `computed`: a node of constants became what it computes
       * - `hard_swish`, `hard_sigmoid`: what was written out became HardSigmoid
       * - `unread_node`, `unread_initializer`: what nothing reads was removed
       */
      readonly action:
        | 'apart'
        | 'constant'
        | 'computed'
        | 'hard_swish'
        | 'hard_sigmoid'
        | 'unread_node'
        | 'unread_initializer';
    }
  /** `what` did nothing: `Identity`, `Mul by 1`. */
  | { readonly action: 'removed'; readonly what: string }
  /** The operator `what` was merged into the weights of the operator `into`, which comes after it or before it. */
  | { readonly action: 'merged'; readonly what: string; readonly into: string; readonly side: 'before' | 'after' };
