import { CompressError } from '../../../errors.ts';
import { checkShape } from '../../../options/check.ts';
import { choiceFact } from '../../../options/values.ts';
import { VARIANT_DTYPES, VARIANTS, VARIANTS_DEFAULT, type VariantDtype } from '../../../options/variants.ts';
import { inOrder } from '../../../passes/variants/names.ts';
import { BNB4 } from '../../../passes/variants/settings.ts';

/** What to write, and where. */
export interface VariantsOptions {
  /** Folder to write: models go to its subfolder `onnx`. It may be the one that is read. */
  readonly output: string;
  /** As transformers.js calls them; all but `int8` and `uint8` if omitted. */
  readonly dtypes?: readonly string[];
  /** Replace files that are there and were made from other bytes, or in another way. */
  readonly overwrite?: boolean;
  /** Whether weights of every model go to data files; of those alone that are larger than `chunkBytes` if omitted. */
  readonly externalData?: boolean;
  /** Bytes of a data file at most. */
  readonly chunkBytes?: number;
  /** Whether each model is run beside the original; where onnxruntime-node is installed if absent. */
  readonly check?: boolean;
  /** Tell what would be made, and write nothing. */
  readonly dryRun?: boolean;
  /** Called while a file is made: which, what is done, and how far it is. */
  readonly onProgress?: (file: string, what: string, done: number, total: number | undefined) => void;
}

/** The options of a run, checked. */
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
 * Checks the options.
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
