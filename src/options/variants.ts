import { COMMON_ROWS, type CommonValues, FILES, REPORT } from './common.ts';
import type { Table } from './option.ts';

/** The dtypes of written files, as transformers.js names them, in the order in which they are made. */
export const VARIANT_DTYPES = ['fp32', 'fp16', 'q8', 'int8', 'uint8', 'q4', 'q4f16'] as const;

export type VariantDtype = (typeof VARIANT_DTYPES)[number];

/** Defaults of `variants`. */
export const VARIANTS_DEFAULT = {
  dtypes: ['fp32', 'fp16', 'q8', 'q4', 'q4f16'] as readonly VariantDtype[],
  chunkBytes: 1e9,
  /** Models up to this size in bytes are run as a check by default. */
  checkBytes: 500e6,
} as const;

export interface VariantsValues
  extends Pick<CommonValues, 'model' | 'output' | 'force' | 'externalData' | 'dryRun' | 'json' | 'quiet' | 'verbose'> {
  dtypes?: readonly string[] | undefined;
  chunkBytes?: number | undefined;
  check?: boolean | undefined;
  noCheck?: boolean | undefined;
}

const { force, dryRun, json, quiet, verbose } = COMMON_ROWS;
const WHICH = 'Which files';

export const VARIANTS: Table<VariantsValues> = {
  positionals: { model: { help: 'folder of an exported model, or one .onnx file' } },
  rows: {
    dtypes: {
      kind: 'words',
      value: 'NAMES',
      help: `names as in transformers.js: ${VARIANT_DTYPES.join(', ')} (${VARIANTS_DEFAULT.dtypes.join(',')})`,
      group: WHICH,
    },
    output: {
      kind: 'target',
      alias: 'o',
      value: 'DIR',
      help: 'folder to write; models go to DIR/onnx. It may be the input folder',
      group: FILES,
    },
    force: { ...force, help: 'replace files that were made from another model or with other options' },
    externalData: { kind: 'flag', help: 'store the weights of every model in data files next to it', group: FILES },
    chunkBytes: {
      kind: 'count',
      value: 'N',
      default: VARIANTS_DEFAULT.chunkBytes,
      help: `largest size of a data file in bytes; larger models get data files (${VARIANTS_DEFAULT.chunkBytes})`,
      group: FILES,
    },
    check: {
      kind: 'flag',
      help:
        `compare each model with the original (the default up to ${VARIANTS_DEFAULT.checkBytes / 1e6} MB if ` +
        'onnxruntime-node is installed)',
      group: REPORT,
      not: ['noCheck'],
    },
    noCheck: {
      kind: 'flag',
      help: 'do not run the models',
      group: REPORT,
    },
    dryRun: { ...dryRun, help: 'show which files would be written and which exist; write nothing' },
    json: { ...json, help: 'report as JSON on standard output' },
    quiet,
    verbose,
  },
};
