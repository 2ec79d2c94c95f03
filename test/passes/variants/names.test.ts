import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { VARIANT_DTYPES } from '../../../src/options/variants.ts';
import { dataFile, isDataFile, partsOf, variantFile } from '../../../src/passes/variants/names.ts';
import { dataFiles, dtypeSuffixes, modelFolder } from '../../../src/targets/transformersjs.ts';

/** The sources of transformers.js. */
const SOURCES = join(dirname(createRequire(import.meta.url).resolve('@huggingface/transformers')), '../src');
const sourceOf = (path: string): string => readFileSync(join(SOURCES, path), 'utf8');

test('suffixes equal those of transformers.js', () => {
  const table =
    /DEFAULT_DTYPE_SUFFIX_MAPPING = Object\.freeze\(\{([^}]+)\}/.exec(sourceOf('utils/dtypes.js'))?.[1] ?? '';
  const theirs = [...table.matchAll(/DATA_TYPES\.(\w+)\]: '(\w*)'/g)].map(([, dtype, suffix]) => [dtype, suffix]);
  expect(theirs.length).toBeGreaterThan(10);
  expect(dtypeSuffixes.value).toEqual(Object.fromEntries(theirs));
});

test('the folder and the naming of data files equal those of transformers.js', () => {
  expect(sourceOf('models/modeling_utils.js')).toContain(`subfolder = '${modelFolder.value}',`);
  expect(sourceOf('utils/hub/constants.js')).toContain(`MAX_EXTERNAL_DATA_CHUNKS = ${dataFiles.value.most};`);
  const [section, key] = dataFiles.value.key;
  expect(sourceOf('models/session.js')).toContain(`options.config?.['${section}']`);
  expect(sourceOf('models/session.js')).toContain(`custom_config.${key}`);
});

test('a file name consists of a model and a dtype', () => {
  expect(
    ['model.onnx', 'decoder_model_merged_q4f16.onnx', 'vision_encoder_int8.onnx', 'model_uint8.onnx'].map(partsOf),
  ).toEqual([
    { name: 'model', dtype: 'fp32' },
    { name: 'decoder_model_merged', dtype: 'q4f16' },
    { name: 'vision_encoder', dtype: 'int8' },
    { name: 'model', dtype: 'uint8' },
  ]);
  expect(['model.onnx_data', '.onnx', '.model.onnx.tmp', 'tokenizer.json'].map(partsOf)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  // A name that is only a suffix is the name of the model.
  expect(partsOf('_q4.onnx')).toEqual({ name: '_q4', dtype: 'fp32' });
  for (const dtype of VARIANT_DTYPES)
    expect(partsOf(variantFile('embed_tokens', dtype))).toEqual({ name: 'embed_tokens', dtype });
});

test('data files are numbered from the second on', () => {
  const names = [0, 1, 12].map((index) => dataFile('model_q4.onnx', index));
  expect(names).toEqual(['model_q4.onnx_data', 'model_q4.onnx_data_1', 'model_q4.onnx_data_12']);
  expect([...names, 'model.onnx.data', 'model.onnx', 'onnx_data'].map(isDataFile)).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
});
