import { VARIANT_DTYPES, type VariantDtype } from '../../options/variants.ts';
import { dataFiles, dtypeSuffixes, modelFolder } from '../../targets/transformersjs.ts';

/** The folder of a repository that models are in. */
export const MODEL_FOLDER: string = modelFolder.value;

/** The metadata key under which a variant records its source and steps. */
export const VARIANT_KEY = 'onnx_compress.variant';

const ENDING = '.onnx';

/** The parts of a model's file name: `model_q4.onnx` is `model` with the dtype `q4`. */
export interface FileParts {
  readonly name: string;
  readonly dtype: string;
}

/** Reads the name of a file; undefined if it is not a model's. */
export function partsOf(file: string): FileParts | undefined {
  if (!file.endsWith(ENDING) || file.startsWith('.') || file === ENDING) return undefined;
  const name = file.slice(0, -ENDING.length);
  const found = Object.entries(dtypeSuffixes.value).find(([, suffix]) => suffix !== '' && name.endsWith(suffix));
  if (found === undefined || name === found[1]) return { name, dtype: 'fp32' };
  const [dtype, suffix] = found;
  return { name: name.slice(0, -suffix.length), dtype };
}

/** The file of a model in a dtype: `model_quantized.onnx`. */
export function variantFile(name: string, dtype: VariantDtype): string {
  return `${name}${dtypeSuffixes.value[dtype] ?? ''}${ENDING}`;
}

/** The data file of a model file with this number, from 0 on: `model_q4.onnx_data`, `model_q4.onnx_data_1`. */
export function dataFile(file: string, index: number): string {
  return `${file}${dataFiles.value.suffix}${index === 0 ? '' : `_${index}`}`;
}

/** The most data files that a model may have. */
export const MOST_DATA_FILES: number = dataFiles.value.most;

/** The requested dtypes, each once, in the order in which they are made. */
export function inOrder(dtypes: readonly VariantDtype[]): VariantDtype[] {
  return VARIANT_DTYPES.filter((one) => dtypes.includes(one));
}

/** Whether a file is a data file, by our naming or that of transformers.js. */
export function isDataFile(file: string): boolean {
  return /\.onnx[._]data(_\d+)?$/.test(file);
}
