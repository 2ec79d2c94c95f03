import type { DType } from '../../ir/dtype.ts';
import type { Difference } from '../../kernels/difference.ts';
import type { HistogramPair } from './histogram.ts';

/** A value before and after; undefined where it does not exist. Texts are as in the file. */
export interface Change<T = string> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** A changed fact about the whole model, e.g. `opset` or `metadata author`. */
export interface FactChange extends Change {
  readonly what: string;
}

/** An input or output of the model that was added or removed, or has another type. */
export interface ValueChange extends Change {
  readonly name: string;
  readonly kind: 'input' | 'output';
}

/** An operator whose number of nodes changed. */
export interface OperatorChange {
  readonly opType: string;
  readonly before: number;
  readonly after: number;
}

/** A node that exists in only one of the models. */
export interface NodeFacts {
  /** Path of its graph; `''` for the main graph. */
  readonly graph: string;
  readonly name: string;
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** A node that exists in both models and differs. */
export interface NodeChange {
  readonly graph: string;
  /** Its name after; its first output if it has no name. */
  readonly name: string;
  readonly opType: string;
  /** What changed: `operator`, `input 1`, `output 0`, or the name of an attribute. */
  readonly changes: readonly FactChange[];
}

/** Facts about a tensor, without its elements. */
export interface TensorFacts {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly byteLength: number;
}

/** A weight that differs between the models. */
export interface WeightChange {
  readonly graph: string;
  /** Its name before; its name after if it is new. */
  readonly name: string;
  /** `quantized`: it is stored as integers with a scale after, or was before. */
  readonly kind: 'added' | 'removed' | 'renamed' | 'changed' | 'quantized';
  readonly before: TensorFacts | undefined;
  readonly after: TensorFacts | undefined;
  /** How the integers share scales: `per channel`, `per tensor`, `in blocks of 32`. */
  readonly form?: string;
  /** How it is stored, in a few words: `int8 per channel`, `uint4 in blocks of 32`. */
  readonly scheme?: string;
  /** How the elements differ, if both are real numbers of the same shape. */
  readonly values?: Difference;
  /** How the elements are distributed, if `values` is present and histograms were requested. */
  readonly histogram?: HistogramPair;
}

/** Options of {@link diff}. */
export interface DiffOptions {
  /** Number of bins of a histogram for each changed weight; no histograms if omitted. */
  readonly bins?: number;
  /**
   * Number of elements of a weight to compare as numbers, spread evenly over it; all if omitted, or if the weight has
   * hardly more. `values.elements` is the number compared. Whether a weight changed at all is decided from every byte.
   */
  readonly sample?: number;
  /** Called after each weight, with the bytes compared so far and the total. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The result of {@link diff}. Lists are empty if nothing changed. */
export interface ModelDiff {
  /** Whether nothing that is compared differs. */
  readonly same: boolean;
  /** Size of the files with their data files, in bytes. */
  readonly byteLength: Change<number>;
  /** Why packed weights could not be unpacked, one sentence each; their parts are compared instead. */
  readonly notes: readonly string[];
  readonly header: readonly FactChange[];
  readonly values: readonly ValueChange[];
  readonly operators: readonly OperatorChange[];
  readonly nodes: {
    /** Number of nodes that are the same in both, apart from the names of values. */
    readonly same: number;
    readonly changed: readonly NodeChange[];
    readonly removed: readonly NodeFacts[];
    readonly added: readonly NodeFacts[];
  };
  readonly weights: {
    readonly same: number;
    readonly changed: readonly WeightChange[];
  };
}
