import { CompressError } from '../../../errors.ts';
import { checkShape } from '../../../options/check.ts';
import { choiceFact } from '../../../options/values.ts';
import { VARIANT_DTYPES, VARIANTS, VARIANTS_DEFAULT, type VariantDtype } from '../../../options/variants.ts';
import { inOrder } from '../../../passes/variants/names.ts';
import { BNB4 } from '../../../passes/variants/settings.ts';

/** What to write, and where. */
export interface VariantsOptions {
  /** Folder to write to; models go to its subfolder `onnx`. It may be the input folder. */
  readonly output: string;
  /** Names in transformers.js; all but `int8` and `uint8` if omitted. */
  readonly dtypes?: readonly string[];
  /** Replace existing files that were made from other bytes or in another way. */
  readonly overwrite?: boolean;
  /** Write the weights of every model to data files; if omitted, only of models larger than `chunkBytes`. */
  readonly externalData?: boolean;
  /** Maximum size of a data file in bytes. */
  readonly chunkBytes?: number;
  /** Compare each model with the original by running both; if omitted, only if onnxruntime-node is installed. */
  readonly check?: boolean;
  /** Report what would be made, and write nothing. */
  readonly dryRun?: boolean;
  /** Called while a file is made: its name, the current step, and the progress of that step. */
  readonly onProgress?: (file: string, what: string, done: number, total: number | undefined) => void;
}

/** The validated options of a run. */
export interface Settings {
  readonly output: string;
  readonly dtypes: readonly VariantDtype[];
  readonly overwrite: boolean;
  readonly externalData: boolean;
  readonly chunkBytes: number;
  readonly check: boolean | undefined;
  readonly dryRun: boolean;
  readonly onProgress: NonNullable<VariantsOptions['onProgress']>;
}

/**
 * Validates the options.
 * @throws CompressError `options`
 */
export function settingsOf(options: VariantsOptions): Settings {
  const { dtypes, chunkBytes } = VARIANTS.rows;
  const flags = { overwrite: 'flag', externalData: 'flag', check: 'flag', dryRun: 'flag' } as const;
  checkShape('variants', options, { output: 'text', dtypes, chunkBytes, ...flags, onProgress: 'function' }, ['output']);
  const { dtypes: asked = VARIANTS_DEFAULT.dtypes, check } = options;
  return {
    output: options.output,
    dtypes: inOrder(asked.map(dtypeOf)),
    overwrite: options.overwrite === true,
    externalData: options.externalData === true,
    chunkBytes: options.chunkBytes ?? VARIANTS_DEFAULT.chunkBytes,
    check,
    dryRun: options.dryRun === true,
    onProgress: options.onProgress ?? (() => {}),
  };
}

function dtypeOf(asked: string): VariantDtype {
  const known = VARIANT_DTYPES.find((one) => one === asked);
  if (known !== undefined) return known;
  if (asked === 'bnb4') throw new CompressError('options', 'dtypes', BNB4.fact, { hint: BNB4.hint });
  throw new CompressError('options', 'dtypes', choiceFact(JSON.stringify(asked), VARIANT_DTYPES));
}
