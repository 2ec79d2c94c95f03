/** Models that generate text together are compared together, in each form of the decoder. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fittingRandomData } from '../../../../src/node/data/fitting.ts';
import { type Family, findFamily, sameFamily } from '../../../../src/node/recipes/generation/family.ts';
import { checkFamilyGates } from '../../../../src/node/recipes/generation/gates.ts';
import { type Prompts, promptsOf, promptsOfText } from '../../../../src/node/recipes/generation/prompts.ts';
import { openTokenizer } from '../../../../src/node/recipes/generation/tokenizer.ts';
import { verifyFamily } from '../../../../src/node/recipes/generation/verify.ts';
import { variants } from '../../../../src/node/recipes/variants/index.ts';
import { buildModel, f32, type ModelSpec, type ValueSpec } from '../../../support/build.ts';
import { type CrossForm, crossDecoderSpec } from '../../../support/crossDecoder.ts';
import { CONFIGS, decoderSpec, encoderSpec, HIDDEN } from '../../../support/transformers.ts';

const FORMS: readonly CrossForm[] = ['decoder_model', 'decoder_with_past_model', 'decoder_model_merged'];
const TOKENS = 8;
const START = 7;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'family-'));
  const config = { decoder_start_token_id: START, vocab_size: 160 };
  const models = FORMS.map((form): [string, ModelSpec] => [form, crossDecoderSpec(form)]);
  await written('all', [['encoder_model', encoderSpec()], ...models], config);
  await written(
    'plain',
    [
      ['encoder_model', encoderSpec()],
      ['decoder_model', crossDecoderSpec('decoder_model')],
    ],
    config,
  );
  await written('alone', [['model', decoderSpec()]], CONFIGS.decoder);
  await written('bert', [['model', encoderSpec()]], CONFIGS.encoder);
});
afterAll(() => rm(root, { recursive: true }));

async function written(name: string, models: readonly (readonly [string, ModelSpec])[], config: object): Promise<void> {
  const folder = join(root, name);
  await mkdir(join(folder, 'onnx'), { recursive: true });
  for (const [file, spec] of models) await writeFile(join(folder, 'onnx', `${file}.onnx`), buildModel(spec));
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
}

async function family(name: string): Promise<Family> {
  const found = await findFamily(join(root, name));
  if (found === undefined) throw new Error(`${name} is no family`);
  return found;
}

function prompts(of: Family, samples = 2): Promise<Prompts> {
  return promptsOf(of, (inputs, trial) => fittingRandomData(inputs, { seed: 1, samples }, trial));
}

test('a folder is a family if one of its models gives next tokens', async () => {
  expect((await family('all')).decoders.map((one) => one.form)).toEqual(['merged', 'with past']);
  expect((await family('plain')).decoders.map((one) => one.form)).toEqual(['without cache']);
  expect(await family('alone')).toMatchObject({ dtype: 'fp32', decoders: [{ form: 'merged' }] });
  expect((await family('alone')).encoder).toBeUndefined();
  expect(await findFamily(join(root, 'bert'))).toBeUndefined();
  await expect(sameFamily(await family('all'), join(root, 'plain'), 'fp32')).rejects.toThrow(
    /plain: has no decoder_model_merged of dtype fp32/,
  );
});

test('each form of a decoder generates the same text, with or without a cache', async () => {
  const all = await family('all');
  const plain = await family('plain');
  const [found, other] = [
    await verifyFamily(all, all, await prompts(all), { tokens: TOKENS }),
    await verifyFamily(plain, plain, await prompts(plain), { tokens: TOKENS }),
  ];
  const [first, second] = found.decoders.map((one) => one.texts.map(({ reference }) => reference));
  expect(first).toHaveLength(2);
  for (const text of first ?? []) expect(text).toHaveLength(TOKENS);
  expect(new Set(first?.flat()).size).toBeGreaterThan(2);
  expect(second).toEqual(first);
  expect(other.decoders[0]?.texts.map(({ reference }) => reference)).toEqual(first);
  for (const { logits, together, sameTexts } of [...found.decoders, ...other.decoders]) {
    expect([logits.sqnr, together?.sqnr]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(logits.top1).toEqual({ count: 2 * TOKENS, of: 2 * TOKENS });
    expect(sameTexts).toEqual({ count: 2, of: 2 });
  }
  expect(found.encoder?.sqnr).toBe(Number.POSITIVE_INFINITY);
});

describe('the output of variants', () => {
  test.each(['all', 'alone'])('%s: is compared on the output of the encoder, form by form', async (name) => {
    const output = join(root, `${name}-small`);
    const made = await variants(join(root, name), { output, dtypes: ['q8', 'q4'], check: true });
    expect(made.failures).toEqual([]);
    // A decoder gets the same inputs as when it generates.
    expect(made.data).toMatch(
      /^(the encoder outputs for random inputs|random prompts), seed 0, and the steps that follow$/,
    );
    for (const { path, dtype, sqnr } of made.files)
      if (dtype === 'q8') expect([path, (sqnr ?? 0) > 25]).toEqual([path, true]);
    const reference = await family(name);
    const [q8, q4] = await Promise.all(
      (['q8', 'q4'] as const).map(async (dtype) =>
        verifyFamily(reference, await sameFamily(reference, output, dtype), await prompts(reference), {
          tokens: TOKENS,
        }),
      ),
    );
    expect(q8?.decoders.map((one) => one.form)).toEqual(reference.decoders.map((one) => one.form));
    expect(q8?.decoders[0]?.files).toEqual([
      name === 'all' ? 'decoder_model_merged_quantized.onnx' : 'model_quantized.onnx',
    ]);
    for (const [at, { logits, together }] of (q8?.decoders ?? []).entries()) {
      expect(logits.sqnr).toBeGreaterThan(28);
      expect(logits.elements).toBe(2 * TOKENS * 160);
      // The noise of the encoder is added.
      if (name === 'all') expect(together?.sqnr).toBeLessThan(logits.sqnr + 1);
      expect(q4?.decoders[at]?.logits.sqnr).toBeLessThan(logits.sqnr - 5);
    }
  });
});

test('a broken decoder does not stop the other files', async () => {
  const folder = join(root, 'broken');
  await written('broken', [['encoder_model', encoderSpec()]], {});
  await writeFile(join(folder, 'onnx', 'decoder_model.onnx'), 'no model');
  const made = await variants(folder, { output: join(root, 'broken-small'), dtypes: ['q8'] });
  expect(made.failures.map(({ path, code }) => [path, code])).toEqual([
    [join(folder, 'onnx', 'decoder_model.onnx'), 'malformed'],
  ]);
  expect(made.files.map(({ status, sqnr = 0 }) => [status, sqnr > 25])).toEqual([['written', true]]);
});

test('in the same folder a decoder gets the same inputs again, with a copy of it in onnx', async () => {
  const folder = join(root, 'inside');
  await cp(join(root, 'alone', 'onnx'), folder, { recursive: true });
  const run = async (): Promise<unknown> => {
    const { data, files } = await variants(folder, { output: folder, dtypes: ['fp32', 'q8'], check: true });
    return [data, files.map(({ dtype, sqnr }) => [dtype, sqnr])];
  };
  const first = await run();
  expect(first).toMatchObject([
    'random prompts, seed 0, and the steps that follow',
    [
      ['fp32', Number.POSITIVE_INFINITY],
      ['q8', expect.any(Number)],
    ],
  ]);
  expect(await run()).toEqual(first);
});

describe('a decoder is refused', () => {
  test('if it needs a state that no step gives', async () => {
    const spec = decoderSpec();
    const { 'present.0.value': _, ...outputs } = spec.outputs as Record<string, ValueSpec>;
    await written('forgetting', [['model', { ...spec, outputs }]], CONFIGS.decoder);
    const of = await family('forgetting');
    await expect(verifyFamily(of, of, await prompts(of), { tokens: TOKENS })).rejects.toThrow(
      /model.onnx: needs 'past_key_values.0.value', which no earlier step produces/,
    );
  });

  test('if a state has any length', async () => {
    const spec = decoderSpec();
    const inputs = { ...spec.inputs, 'past_key_values.0.key': f32([1, 2, 2 ** 40, 32]) };
    await written('endless', [['model', { ...spec, inputs }]], CONFIGS.decoder);
    const of = await family('endless');
    await expect(verifyFamily(of, of, await prompts(of))).rejects.toThrow(
      /input 'past_key_values.0.key' is float32 \[1, 2, 1099511627776, 32\], more than can be fed/,
    );
  });
});

/** A tokenizer of words as in its file: `w0` is 0. */
const TOKENIZER = {
  ...{ version: '1.0', added_tokens: [], normalizer: null, post_processor: null, decoder: null },
  pre_tokenizer: { type: 'Whitespace' },
  model: {
    ...{ type: 'WordLevel', unk_token: 'w0' },
    vocab: Object.fromEntries(Array.from({ length: 160 }, (_, id) => [`w${id}`, id])),
  },
};

test('the tokenizer of the folder encodes lines of text as prompts, and decodes tokens', async () => {
  const folder = join(root, 'text');
  await cp(join(root, 'alone'), folder, { recursive: true });
  expect(await openTokenizer(folder)).toBeUndefined();
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(TOKENIZER));
  const tokenizer = await openTokenizer(folder);
  if (tokenizer === undefined) throw new Error('there is not a tokenizer');
  const of = await family('text');
  const report = await verifyFamily(of, of, await promptsOfText(of, ['w5 w17 w33', 'w2'], tokenizer), { tokens: 3 });
  const [first, second] = report.decoders[0]?.texts ?? [];
  expect([first?.prompt, second?.prompt]).toEqual(['w5 w17 w33', 'w2']);
  expect(tokenizer.decode(first?.reference ?? [])).toBe(first?.reference.map((id) => `w${id}`).join(' '));
  await writeFile(join(folder, 'tokenizer.json'), '{"model": 1');
  await expect(openTokenizer(folder)).rejects.toThrow(/tokenizer.json: is not JSON/);
});

test('a text ends at a NaN score, and differs from that of the reference', async () => {
  const spec = decoderSpec();
  const initializers = { ...spec.initializers, 'ln_f.bias': f32([HIDDEN], new Float32Array(HIDDEN).fill(Number.NaN)) };
  await written('nan', [['model', { ...spec, initializers }]], CONFIGS.decoder);
  const [right, judged] = [await family('alone'), await family('nan')];
  const { decoders } = await verifyFamily(right, judged, await prompts(right, 1), { tokens: 2 });
  expect(decoders[0]?.texts).toMatchObject([{ other: [], same: 0 }]);
  expect(decoders[0]?.sameTexts).toEqual({ count: 0, of: 1 });
});

test('invalid options are refused: a text of NaN tokens would never end', async () => {
  const of = await family('alone');
  const found = verifyFamily(of, of, await prompts(of, 1), { tokens: Number.NaN });
  await expect(found).rejects.toMatchObject({ code: 'options', where: 'tokens' });
  const report = await verifyFamily(of, of, await prompts(of, 1), { tokens: 1 });
  expect(() => checkFamilyGates(report, { minTop1: 2 })).toThrow(expect.objectContaining({ code: 'options' }));
});

test('a text ends with the token that config.json names', async () => {
  const folder = join(root, 'ending');
  await cp(join(root, 'all'), folder, { recursive: true });
  const of = await family('ending');
  const long = await verifyFamily(of, of, await prompts(of, 1), { tokens: TOKENS });
  const text = long.decoders[0]?.texts[0]?.reference ?? [];
  await writeFile(
    join(folder, 'generation_config.json'),
    `{"eos_token_id": [${text[2]}], "decoder_start_token_id": ${START}}`,
  );
  const short = await verifyFamily(of, of, await prompts(of, 1), { tokens: TOKENS });
  expect(short.decoders[0]?.texts[0]?.reference).toEqual(text.slice(0, text.indexOf(text[2] as number) + 1));
});
