/** Models of a folder that generate text together are tuned as one, by the scores of the decoder. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Recipe, readModel, runRecipe, tune, writeModel } from '../../../../src/index.node.ts';
import { openData } from '../../../../src/node/data/open.ts';
import { type Family, findFamily } from '../../../../src/node/recipes/generation/family.ts';
import { promptsOf } from '../../../../src/node/recipes/generation/prompts.ts';
import { verifyFamily } from '../../../../src/node/recipes/generation/verify.ts';
import { buildModel } from '../../../support/build.ts';
import { crossDecoderSpec } from '../../../support/crossDecoder.ts';
import { encoderSpec } from '../../../support/transformers.ts';

const FILES = ['encoder_model', 'decoder_model', 'decoder_with_past_model'] as const;
const TOKENS = 3;
let root: string;
let float: string;
let data: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tune-family-'));
  [float, data] = [join(root, 'float'), join(root, 'rows.json')];
  await mkdir(float);
  for (const name of FILES) {
    const spec = name === 'encoder_model' ? encoderSpec() : crossDecoderSpec(name);
    await writeFile(join(float, `${name}.onnx`), buildModel(spec));
  }
  const rows = (each: (row: number, at: number) => number): number[][] =>
    [0, 1].map((row) => [0, 1, 2, 3, 4].map((at) => each(row, at)));
  await writeFile(
    data,
    JSON.stringify({
      input_ids: rows((row, at) => 11 * row + 7 * at + 1),
      attention_mask: rows(() => 1),
      token_type_ids: rows(() => 0),
    }),
  );
});
afterAll(() => rm(root, { recursive: true }));

async function family(folder: string): Promise<Family> {
  const found = await findFamily(folder);
  if (found === undefined) throw new Error(`${folder} is no family`);
  return found;
}

/** The worst SQNR of the scores after a recipe: encoder and decoder together. */
async function keptBy(recipe: Recipe): Promise<number> {
  const small = join(root, 'small');
  await cp(float, small, { recursive: true });
  for (const name of FILES) {
    await using model = await readModel(join(float, `${name}.onnx`));
    await runRecipe(model, recipe);
    await writeModel(model, join(small, `${name}.onnx`), { overwrite: true });
  }
  const reference = await family(float);
  const prompts = await promptsOf(reference, (inputs) => openData(data, inputs));
  const { decoders } = await verifyFamily(reference, await family(small), prompts, { tokens: TOKENS });
  return Math.min(...decoders.map(({ together }) => together?.sqnr ?? Number.NaN));
}

test('one selection of layers keeps the scores of encoder and decoders together, as verify measures them', async () => {
  const options = { data, tokens: TOKENS, include: [/attention\.query|(self|cross)\.output/] };
  const all = await tune(float, { ...options, minSqnr: 1 });
  expect(all.best?.float).toEqual([]);
  // A layer of the encoder, and those of the decoder once, although two files have them.
  expect(all.layers).toEqual(['attention.query.weight', 'self.output.weight', 'cross.output.weight']);
  const least = (all.best?.value ?? 0) + 1;
  const found = await tune(float, { ...options, minSqnr: least });
  expect(found).toMatchObject({
    metric: 'sqnr',
    data: expect.stringMatching(/rows\.json.*, texts of 3 tokens at most$/),
  });
  expect(found.float).toMatchObject({ value: Number.POSITIVE_INFINITY, enough: true });
  expect(found.best?.float.length).toBeGreaterThan(0);
  expect(found.best?.bytes).toBeLessThan(found.float.bytes);
  if (found.recipe === undefined || found.best === undefined) throw new Error('nothing was found');
  expect(found.best.value).toBeGreaterThanOrEqual(least);
  expect(await keptBy(found.recipe)).toBeCloseTo(found.best.value, 6);
});

test('a decoder is calibrated with the output of its encoder, in each selection and by the recipe', async () => {
  const options = { data, tokens: TOKENS, bits: 4, include: [/attention\.query|(self|cross)\.output/] } as const;
  const [without, all] = [
    await tune(float, { ...options, minSqnr: 1 }),
    await tune(float, { ...options, calibrate: data, minSqnr: 1 }),
  ];
  expect(all.best?.value).toBeGreaterThan((without.best?.value ?? 0) + 1);
  const found = await tune(float, { ...options, calibrate: data, minSqnr: (all.best?.value ?? 0) + 1 });
  expect(found.best?.float.length).toBeGreaterThan(0);
  expect(found.recipe?.steps[0]?.options.get('calibrate')).toBe(data);
  expect(await keptBy(found.recipe as Recipe)).toBeCloseTo(found.best?.value ?? 0, 6);
});

test('the default metric is the next token, and there are no labels', async () => {
  expect((await tune(float, { data, tokens: 2, maxDrop: 1, maxTrials: 1 })).metric).toBe('top1');
  await expect(tune(float, { data, tokens: 2, metric: 'accuracy' })).rejects.toThrow('the data has no labels');
});

test('options for a single model are refused for a folder, and the other way round', async () => {
  const model = join(float, 'encoder_model.onnx');
  await expect(tune(float, { data, ranges: data })).rejects.toThrow('applies to a single model, not to a folder');
  await expect(tune(float, { data, judge: 'logits' })).rejects.toThrow('applies to a single model, not to a folder');
  await expect(tune(float, {})).rejects.toThrow('no data is given to measure accuracy');
  await expect(tune(model, { data, tokens: 2 })).rejects.toThrow('applies to a folder with a decoder');
  await expect(tune(root, { data })).rejects.toThrow('is a folder without a float decoder');
  await expect(tune(float, { prompts: data })).rejects.toThrow(/needs tokenizer\.json in .*float/);
});
