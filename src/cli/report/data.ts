// The page in report/, which runs in a browser, reads this too: no imports.

/** A weight that was left unchanged, and why. */
export interface ReportSkip {
  readonly weight: string;
  readonly node: string;
  readonly opType: string;
  readonly elements: number;
  readonly reason: string;
  readonly detail: string;
}

/** A quantized weight that is converted to float at each run. */
export interface ReportUnfused {
  readonly weight: string;
  readonly node: string;
  readonly opType: string;
  readonly why: string;
}

/** Elements of a weight counted in bins of equal width, before and after. */
export interface WeightHistogram {
  readonly min: number;
  readonly max: number;
  /** Number of finite elements per bin; the first and last bin also count elements outside the range. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** One weight that was changed. */
export interface ReportLayer {
  readonly weight: string;
  readonly opType: string;
  readonly nodes: readonly string[];
  /** E.g. `float32 256×64`. */
  readonly shape: string;
  readonly elements: number;
  /** Number of elements that the histograms and unmeasured figures are based on: all, or a sample. */
  readonly compared: number;
  /** What it is now, e.g. `dynamic int8 per channel`. */
  readonly form: string;
  /** Bytes. */
  readonly before: number;
  readonly after: number;
  /** Share of zeros after the run, 0 to 1; null if unknown. */
  readonly sparsity: number | null;
  /** Signal-to-noise ratio of the weight in dB; `Infinity` as text if nothing differs; null if unknown. */
  readonly sqnr: number | 'Infinity' | null;
  readonly histogram: WeightHistogram | null;
}

/** How much the outputs lose when only one layer is changed, or why that was not measured. */
export type Sensitivity =
  | {
      readonly kind: 'measured';
      /** What the models were fed. */
      readonly data: string;
      /** Number of layers that were changed; `layers` has the largest of them. */
      readonly of: number;
      readonly layers: readonly { readonly weight: string; readonly sqnr: number | 'Infinity' }[];
    }
  | { readonly kind: 'not_measured'; readonly why: string };

/** How ONNX Runtime optimizes the result, or why it was not asked. */
export type Verdict =
  | {
      readonly kind: 'asked';
      readonly kernels: readonly { readonly op: string; readonly nodes: number }[];
      readonly unfused: readonly ReportUnfused[];
      /** Names of integer weights that were converted to float when the model was loaded. */
      readonly madeFloat: readonly string[];
      /** How many weights the passes stored in 16 bits: they are converted to float32 when the model is loaded. */
      readonly halves: number;
    }
  | { readonly kind: 'not_asked'; readonly why: string };

/** What some bytes of a model are for. */
export interface ReportRole {
  /** E.g. `weights in int8`, `scales`. */
  readonly role: string;
  readonly tensors: number;
  readonly bytes: number;
}

/** One of the two models as a file. */
export interface ReportSide {
  /** Its path, or `<stdin>`, `<stdout>`. */
  readonly name: string;
  /** Bytes, data files included. */
  readonly bytes: number;
  /** The model file, followed by its data files. */
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
  /** E.g. `IR version 8, opset 17`. */
  readonly format: string;
  /** The program that wrote it, with its version; empty if the file does not say. */
  readonly producer: string;
  /** A text for each: `x: float32 [batch, 64]`. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: number;
  /** Elements of all weights. */
  readonly parameters: number;
  readonly roles: readonly ReportRole[];
}

/** What running both models showed. */
export interface ReportCheck {
  /** What they were fed. */
  readonly data: string;
  readonly samples: number;
  /** SQNR of each output in dB. */
  readonly outputs: readonly { readonly name: string; readonly sqnr: number | 'Infinity' | null }[];
  /** Time of a run relative to the model before. */
  readonly ratio: number;
}

/** All that the report page shows. */
export interface ReportData {
  /** The result in a few words, as on a terminal. */
  readonly summary: string;
  /** The command, quoted for a shell. */
  readonly command: string;
  readonly versions: readonly { readonly name: string; readonly version: string }[];
  readonly input: ReportSide;
  readonly output: ReportSide;
  /** Notes on the whole run. */
  readonly notes: readonly string[];
  readonly passes: readonly {
    readonly pass: string;
    readonly notes: readonly string[];
    readonly skips: readonly ReportSkip[];
  }[];
  readonly layers: readonly ReportLayer[];
  readonly verdict: Verdict;
  /** Null if the models were not run. */
  readonly check: ReportCheck | null;
  /** Null where there is no data. */
  readonly sensitivity: Sensitivity | null;
}
