import type { DType } from '../../ir/dtype.ts';
import type { Difference } from '../../kernels/difference.ts';
import type { HistogramPair } from './histogram.ts';

/** A value before and after; undefined if it is not there. Texts are as in the file. */
export interface Change<T = string> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** A fact about the whole model that changed, e.g. `opset`, `metadata author`. */
export interface FactChange extends Change {
  readonly what: string;
}

/** An input or output of the model that came, went, or has another type. */
export interface ValueChange extends Change {
  readonly name: string;
  readonly kind: 'input' | 'output';
}

/** An operator that there is another number of. */
export interface OperatorChange {
  readonly opType: string;
  readonly before: number;
  readonly after: number;
}

/** A node that is in one of the models only. */
export interface NodeFacts {
  /** Path of the graphs it is in, `''` for the main one. */
  readonly graph: string;
  readonly name: string;
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** A node in both models that is not the same. */
export interface NodeChange {
  readonly graph: string;
  /** Its name after, or without one its first output. */
  readonly name: string;
  readonly opType: string;
  /** What changed: `operator`, `input 1`, `output 0`, or an attribute's name. */
  readonly changes: readonly FactChange[];
}

/** What a tensor is, without its elements. */
export interface TensorFacts {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly byteLength: number;
}

/** A weight that is not the same in both models. */
export interface WeightChange {
  readonly graph: string;
  /** Its name before, or after where it is new. */
  readonly name: string;
  /** `quantized`: integers with a scale stand for it after, or stood before. */
  readonly kind: 'added' | 'removed' | 'renamed' | 'changed' | 'quantized';
  readonly before: TensorFacts | undefined;
  readonly after: TensorFacts | undefined;
  /** How integers have their scales: `per channel`, `per tensor`, `in blocks of 32`. */
  readonly form?: string;
  /** How they are stored, in a few words: `int8 per channel`, `uint4 in blocks of 32`. */
  readonly scheme?: string;
  /** How the elements differ, where both are real numbers of one shape. */
  readonly values?: Difference;
  /** How the elements are spread, where `values` is there and it was asked for. */
  readonly histogram?: HistogramPair;
}

/** Settings of {@link diff}. */
export interface DiffOptions {
  /** Bins of a histogram of each weight that changed; none is made without. */
  readonly bins?: number;
  /**
   * Elements of a weight whose numbers are compared, spread over it; all of them where absent, and where it has not
   * many more. `values.elements` tells how many there were. Whether a weight changed at all is still told by every
   * byte of it.
   */
  readonly sample?: number;
  /** Called after each weight, with the bytes of the weights before that were looked at, and of all of them. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What {@link diff} found. Lists are empty where nothing changed. */
export interface ModelDiff {
  /** Whether nothing that is compared differs. */
  readonly same: boolean;
  /** Bytes of the files, data files included. */
  readonly byteLength: Change<number>;
  /** Why packed weights could not be unpacked, a sentence each: their parts are compared instead. */
  readonly notes: readonly string[];
  readonly header: readonly FactChange[];
  readonly values: readonly ValueChange[];
  readonly operators: readonly OperatorChange[];
  readonly nodes: {
    /** Nodes that are the same in both, names of values aside. */
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
