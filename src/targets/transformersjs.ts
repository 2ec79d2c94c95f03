import type { Fact } from './fact.ts';

/**
 * Which files transformers.js looks for, and where. `test/passes/variants/names.test.ts` checks the rows against its
 * sources.
 */

const SOURCES = 'https://github.com/huggingface/transformers.js/blob/main/packages/transformers/src';
const VERSION = '4.3.2; 3.8.1 has the same names';

/** What follows the name of a model in the name of its file, for each `dtype` that can be requested. */
export const dtypeSuffixes: Fact<{ readonly [dtype: string]: string }> = {
  says: 'The file for a `dtype` is onnx/NAME plus its suffix and .onnx.',
  source: `${SOURCES}/utils/dtypes.js`,
  version: VERSION,
  value: {
    fp32: '',
    fp16: '_fp16',
    q8: '_quantized',
    int8: '_int8',
    uint8: '_uint8',
    q4: '_q4',
    q4f16: '_q4f16',
    bnb4: '_bnb4',
    q2: '_q2',
    q2f16: '_q2f16',
    q1: '_q1',
    q1f16: '_q1f16',
  },
};

/** The folder of model files in a repository. */
export const modelFolder: Fact<string> = {
  says: 'Model files are read from the subfolder `onnx` unless told otherwise.',
  source: `${SOURCES}/models/modeling_utils.js`,
  version: VERSION,
  value: 'onnx',
};

/** How data files are found. */
export interface DataFileFact {
  /** Appended to the full name of the model file. */
  readonly suffix: string;
  /** The largest number of data files; more are refused. */
  readonly most: number;
  /** The key of config.json that says how many there are; without it, none is fetched. */
  readonly key: readonly [section: string, key: string];
}

export const dataFiles: Fact<DataFileFact> = {
  says:
    'Data files are FILE.onnx_data, FILE.onnx_data_1 and so on, each loaded whole. The config gives their number: ' +
    'true, a number, or an object by file or model name. Only under Node does ONNX Runtime find them itself.',
  source: `${SOURCES}/utils/model-loader.js`,
  version: VERSION,
  value: { suffix: '_data', most: 100, key: ['transformers.js_config', 'use_external_data_format'] },
};

/** The oldest ONNX Runtime in which the files must run. */
export const oldestRuntime: Fact<string> = {
  says: 'Version 3 uses onnxruntime-node 1.21 and a build of onnxruntime-web before 1.22; version 4 uses newer ones.',
  source: 'https://github.com/huggingface/transformers.js/blob/3.8.1/package.json',
  version: '3.8.1 read',
  value: '1.21',
};

/** The key where version 3 reads the type of past keys and values, by dtype; version 4 takes it from the model. */
export const cacheTypes: Fact<string> = {
  says:
    'Version 3 feeds empty past keys and values of the type in `kv_cache_dtype`, float32 by default; version 4 uses ' +
    'the type of the inputs.',
  source: `${SOURCES}/models/modeling_utils.js`,
  version: '3.8.1 read; 4.3.2',
  value: 'kv_cache_dtype',
};
