import type { ErrorCode } from '../../../errors.ts';
import type { ExtendedReal } from '../../../kernels/real.ts';
import type { RecipeStep } from '../../../passes/recipe.ts';

/** A file that was asked for. */
export interface VariantFile {
  /** Path of the model it is of. */
  readonly source: string;
  /** What transformers.js calls it. */
  readonly dtype: string;
  readonly path: string;
  /**
   * `written`; `kept`: it was there, made of the same bytes in the same way; `original`: it is the model that was read;
   * `planned`: in a dry run.
   */
  readonly status: 'written' | 'kept' | 'original' | 'planned';
  /** Of the file and its data files. */
  readonly bytes: number;
  /** Of the model it is of. */
  readonly floatBytes: number;
  /** How many data files it has. */
  readonly dataFiles: number;
  /** How it was made. */
  readonly steps: readonly RecipeStep[];
  /** Whether no weight could be made smaller, so that it is as the model it is of. */
  readonly unchanged: boolean;
  /** What is left of the worst output, in dB; absent where it was not run. */
  readonly sqnr?: ExtendedReal;
  /** The name of that output. */
  readonly output?: string;
}

/** A file that could not be made, and why. */
export interface VariantFailure {
  readonly path: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

/** What was made of a folder. */
export interface VariantsReport {
  readonly input: string;
  readonly output: string;
  readonly files: readonly VariantFile[];
  readonly failures: readonly VariantFailure[];
  /** Other files that were copied: tokenizers and settings. */
  readonly copied: readonly string[];
  /** Of config.json and README.md, those that were changed. */
  readonly changed: readonly string[];
  /** What the models were run on; absent where none was. */
  readonly data?: string;
  readonly notes: readonly string[];
}
