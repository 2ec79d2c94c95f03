import type { ErrorCode } from '../../../errors.ts';
import type { ExtendedReal } from '../../../kernels/real.ts';
import type { RecipeStep } from '../../../passes/recipe.ts';

/** One requested file. */
export interface VariantFile {
  /** Path of the model it is made from. */
  readonly source: string;
  /** Its dtype, as named in transformers.js. */
  readonly dtype: string;
  readonly path: string;
  /**
   * `written`; `kept`: it existed, made from the same bytes in the same way; `original`: it is the input model;
   * `planned`: in a dry run.
   */
  readonly status: 'written' | 'kept' | 'original' | 'planned';
  /** Size of the file and its data files. */
  readonly bytes: number;
  /** Size of the model it is made from. */
  readonly floatBytes: number;
  /** Number of data files. */
  readonly dataFiles: number;
  /** How it was made. */
  readonly steps: readonly RecipeStep[];
  /** No weight could be made smaller, so the file equals the model it is made from. */
  readonly unchanged: boolean;
  /** SQNR of the worst output in dB; absent if the model was not run. */
  readonly sqnr?: ExtendedReal;
  /** Name of that output. */
  readonly output?: string;
}

/** A file that could not be made, and the reason. */
export interface VariantFailure {
  readonly path: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

/** The result of {@link variants}. */
export interface VariantsReport {
  readonly input: string;
  readonly output: string;
  readonly files: readonly VariantFile[];
  readonly failures: readonly VariantFailure[];
  /** Other files that were copied: tokenizers and settings. */
  readonly copied: readonly string[];
  /** Which of config.json and README.md were changed. */
  readonly changed: readonly string[];
  /** What the models were run on; absent if none was run. */
  readonly data?: string;
  readonly notes: readonly string[];
}
