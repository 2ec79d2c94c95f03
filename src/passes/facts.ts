/** A fact about the whole model as data, for programs that decide by it; `notes` has it as a sentence. */
export type PassFact = Folded | Deduplicated | Dequantized | ComputedHalf | StoredConvs;

/** Conv whose weights are stored as integers and made float, which activations in 8 bits would let run on integers. */
export interface StoredConvs {
  readonly kind: 'stored_convs';
  readonly weights: number;
  /** About the time they would take then, of what they take in float, as far as the shapes of weights tell. */
  readonly time: number;
}

/** Nodes that compute in float16. */
export interface ComputedHalf {
  readonly kind: 'float16';
  readonly nodes: number;
  /** Those that have floats to compute with and stay float32. */
  readonly kept: number;
  /** Casts that were put in. */
  readonly casts: number;
}

/** Equal tensors of which one is left. */
export interface Deduplicated {
  readonly kind: 'deduplicated';
  /** Tensors that are gone, and the bytes they took. */
  readonly tensors: number;
  readonly bytes: number;
}

/** Activations that are floats again. */
export interface Dequantized {
  readonly kind: 'dequantized';
  /** Values that are not rounded to integers any more. */
  readonly values: number;
  /** Relu, and Clip from 0 to 6, that were put where integers had cut values off. */
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
  /** An operator `what` went into the weights of the operator `into`, before it or after it. */
  | { readonly action: 'merged'; readonly what: string; readonly into: string; readonly side: 'before' | 'behind' };
