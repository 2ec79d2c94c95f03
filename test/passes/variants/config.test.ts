import { expect, test } from '@jest/globals';
import { mergedSection } from '../../../src/passes/variants/config.ts';
import { withMember } from '../../../src/passes/variants/member.ts';

const files = [
  { file: 'model.onnx', data: 3 },
  { file: 'model_q4.onnx', data: 1 },
  { file: 'model_quantized.onnx', data: 0 },
];

test('does not mention files without data files', () => {
  const [, , quantized] = files;
  expect(mergedSection(undefined, quantized === undefined ? [] : [quantized])).toBeUndefined();
  const section = { dtype: 'q8' };
  expect(mergedSection(section, [])).toEqual(section);
});

test('gives counts per file, because a common count would apply to files without data', () => {
  for (const given of [undefined, true, 2]) {
    expect(mergedSection(given === undefined ? undefined : { use_external_data_format: given }, files)).toEqual({
      use_external_data_format: { 'model.onnx': 3, 'model_q4.onnx': 1 },
    });
  }
});

test('keeps correct settings for files elsewhere', () => {
  const given = { model: true, other_model: 7 };
  expect(mergedSection({ use_external_data_format: given, dtype: 'q4' }, files)).toEqual({
    dtype: 'q4',
    use_external_data_format: { ...given, 'model.onnx': 3, 'model_quantized.onnx': 0 },
  });
});

test('gives past keys and values the type of the inputs', () => {
  const caches = [
    { file: 'model.onnx', data: 0, cache: 'float32' },
    { file: 'model_q4f16.onnx', data: 0, cache: 'float16' },
    { file: 'model_fp16.onnx', data: 0, cache: 'float32' },
    { file: 'encoder_model.onnx', data: 0 },
  ];
  expect(mergedSection({ kv_cache_dtype: { fp16: 'float16', q4f16: 'float16', q2: 'float16' } }, caches)).toEqual({
    kv_cache_dtype: { fp16: 'float32', q4f16: 'float16', q2: 'float16' },
  });
  expect(mergedSection(undefined, caches)).toEqual({
    kv_cache_dtype: { fp32: 'float32', q4f16: 'float16', fp16: 'float32' },
  });
  expect(mergedSection({ dtype: 'q8' }, caches.slice(0, 1))).toEqual({ dtype: 'q8' });
});

test.each([
  ['{}', '{\n  "k": 1\n}'],
  ['{"a":[1,{"k":2}],"b":"}"}', '{"a":[1,{"k":2}],"b":"}",\n  "k": 1}'],
  ['{ "k": {"x": [2, "]"]} , "b": 1e-5 }', '{ "k": 1 , "b": 1e-5 }'],
  ['{\n\t"a": "say \\"k\\": {",\n\t"k": -2.50E+1\n}\n', '{\n\t"a": "say \\"k\\": {",\n\t"k": 1\n}\n'],
  ['{"\\u006b": 5}', '{"\\u006b": 1}'],
])('adds a member to %j: %j', (text, expected) => {
  expect(withMember(text, 'k', 1)).toBe(expected);
  expect(JSON.parse(expected)).toEqual({ ...(JSON.parse(text) as object), k: 1 });
});
