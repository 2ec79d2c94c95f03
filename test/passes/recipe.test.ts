import { describe, expect, test } from '@jest/globals';
import { bytesSink, type Model, readModel, writeModel } from '../../src/index.node.ts';
import {
  formatRecipe,
  MAX_STEPS,
  parseRecipe,
  RECIPE_KEY,
  recordedRecipe,
  recordRecipe,
} from '../../src/passes/recipe.ts';
import { buildModel, f32 } from '../support/build.ts';

const MODEL = buildModel({
  opset: 17,
  inputs: { x: f32(['N', 2]) },
  outputs: { y: f32(['N', 2]) },
  nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
  initializers: { w: f32([2, 2], [1, 2, 3, 4]) },
});

async function again(model: Model): Promise<Model> {
  const sink = bytesSink();
  await writeModel(model, sink);
  return readModel(sink.bytes());
}

describe('parseRecipe', () => {
  test('parses steps with their options in order, and formatRecipe restores the text', () => {
    const text = `\uFEFF { "onnxCompress": 1, "steps": [
      { "verb": "prune", "l1": 0.4, "scope": "global" },
      { "int8": true, "verb": "quantize", "exclude": ["fc3", "a.b"] } ] }`;
    const recipe = parseRecipe(text, 'r.json');
    expect(recipe.steps.map(({ verb, options }) => [verb, [...options]])).toEqual([
      [
        'prune',
        [
          ['l1', 0.4],
          ['scope', 'global'],
        ],
      ],
      [
        'quantize',
        [
          ['int8', true],
          ['exclude', ['fc3', 'a.b']],
        ],
      ],
    ]);
    expect(parseRecipe(formatRecipe(recipe), '')).toEqual(recipe);
    expect(parseRecipe(formatRecipe(recipe, 2), '')).toEqual(recipe);
  });

  test('escapes invisible characters, and reads them back', () => {
    const name = 'a\u202eb\u0085c\u{e0041}\u200bd';
    const recipe = parseRecipe(JSON.stringify({ onnxCompress: 1, steps: [{ verb: 'prune', exclude: [name] }] }), '');
    const text = formatRecipe(recipe, 2);
    expect(text).toContain('"a\\u202eb\\u0085c\\udb40\\udc41\\u200bd"');
    expect(parseRecipe(text, '')).toEqual(recipe);
  });

  const STEP = '{ "verb": "fold" }';
  test.each([
    ['', /^r\.json: is not JSON/],
    ['{', /^r\.json: is not JSON/],
    ['[]', /^r\.json: is a list; an object is needed/],
    ['null', /^r\.json: is null; an object is needed/],
    ['{ "steps": [] }', /has no key 'onnxCompress'/],
    [`{ "onnxCompress": "1", "steps": [${STEP}] }`, /'onnxCompress' is "1"; 1 is supported/],
    [`{ "onnxCompress": 2, "steps": [${STEP}] }`, /'onnxCompress' is 2; 1 is supported/],
    [`{ "onnxCompress": 1, "steps": [${STEP}], "name": "x" }`, /'name' is not a key of a recipe/],
    ['{ "onnxCompress": 1, "steps": [] }', /'steps' is not a list of verbs/],
    ['{ "onnxCompress": 1, "steps": { "length": 3 } }', /'steps' is not a list of verbs/],
    ['{ "onnxCompress": 1, "steps": ["fold"] }', /steps\[0\]: is "fold"; an object is needed/],
    [`{ "onnxCompress": 1, "steps": [${STEP}, {}] }`, /steps\[1\]: has no 'verb'/],
    ['{ "onnxCompress": 1, "steps": [{ "verb": 7 }] }', /steps\[0\]: 'verb' is 7; a string is needed/],
    ['{ "onnxCompress": 1, "steps": [{ "verb": "a", "b": null }] }', /steps\[0\]: 'b' is null; true, false, a number/],
    ['{ "onnxCompress": 1, "steps": [{ "verb": "a", "b": [1] }] }', /'b' is a list; true/],
    ['{ "onnxCompress": 1, "steps": [{ "verb": "a", "b": 1e999 }] }', /'b' is null; true/],
    ['{ "onnxCompress": 1, "steps": [{ "verb": "a", "__proto__": {} }] }', /'__proto__' is an object; true/],
  ])('refuses %s', (text, message) => {
    expect(() => parseRecipe(text, 'r.json')).toThrow(message);
    expect(() => parseRecipe(text, 'r.json')).toThrow(expect.objectContaining({ code: 'options' }));
  });

  test('refuses text that is too long or too deep', () => {
    const many = { onnxCompress: 1, steps: Array.from({ length: MAX_STEPS + 1 }, () => ({ verb: 'fold' })) };
    const limit = expect.objectContaining({ code: 'limit' });
    expect(() => parseRecipe(JSON.stringify(many), '')).toThrow(limit);
    expect(() => parseRecipe(' '.repeat(2 << 20), '')).toThrow(limit);
    const deep = `{ "onnxCompress": 1, "steps": [{ "verb": "a", "b": ${'['.repeat(200_000)}${']'.repeat(200_000)} }] }`;
    expect(() => parseRecipe(deep, '')).toThrow(expect.objectContaining({ code: 'options' }));
  });
});

describe('the recipe in a model', () => {
  const recipe = (verb: string) => parseRecipe(`{ "onnxCompress": 1, "steps": [{ "verb": "${verb}" }] }`, '');

  test('is appended to an existing one', async () => {
    const model = await readModel(MODEL);
    expect(await recordedRecipe(model, 'm')).toBeUndefined();
    expect(await recordRecipe(model, recipe('prune'))).toEqual([]);
    const second = await again(model);
    expect(await recordRecipe(second, recipe('quantize'))).toEqual([]);
    const third = await again(second);
    expect((await recordedRecipe(third, 'm'))?.steps.map((one) => one.verb)).toEqual(['prune', 'quantize']);
    expect(third.metadata.map((one) => one.key)).toEqual([RECIPE_KEY]);
  });

  test.each([
    [
      '{"onnxCompress":9,"steps":[]}',
      "the model, metadata 'onnx_compress.recipe': 'onnxCompress' is 9; 1 is supported",
    ],
    [
      'x'.repeat(2 << 20),
      "the model, metadata 'onnx_compress.recipe': is longer than 1048576 bytes, the limit for a recipe",
    ],
  ])('is replaced with a note if it cannot be read: %#', async (text, why) => {
    const model = await readModel(MODEL);
    model.setMetadata(RECIPE_KEY, text);
    await expect(recordedRecipe(model, 'm')).rejects.toThrow("m, metadata 'onnx_compress.recipe': ");
    expect(await recordRecipe(model, recipe('fold'))).toEqual([
      `the earlier recipe is replaced, because it cannot be read: ${why}`,
    ]);
    expect((await recordedRecipe(model, 'm'))?.steps).toHaveLength(1);
  });

  test('starts anew if it would become too long', async () => {
    const model = await readModel(MODEL);
    const steps = Array.from({ length: MAX_STEPS }, () => ({ verb: 'fold', options: new Map() }));
    expect(await recordRecipe(model, { steps })).toEqual([]);
    expect(await recordRecipe(model, recipe('prune'))).toEqual([
      'the earlier recipe is replaced, because both together are too long',
    ]);
    expect((await recordedRecipe(model, 'm'))?.steps.map((one) => one.verb)).toEqual(['prune']);
  });
});
