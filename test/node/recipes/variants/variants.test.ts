/** Which files are written, kept, copied and refused. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { dequantize, readModel, writeModel } from '../../../../src/index.node.ts';
import { runStep } from '../../../../src/node/recipes/runStep.ts';
import { type VariantsReport, variants } from '../../../../src/node/recipes/variants/index.ts';
import { VARIANT_KEY } from '../../../../src/passes/variants/names.ts';
import { buildModel, f32 } from '../../../support/build.ts';
import { randomFloats } from '../../../support/random.ts';
import { decoderSpec, encoderSpec } from '../../../support/transformers.ts';

let folder: string;
let input: string;
let output: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'variants-'));
  [input, output] = [join(folder, 'in'), join(folder, 'out')];
  await mkdir(input);
  await writeFile(join(input, 'encoder_model.onnx'), buildModel(encoderSpec()));
  await writeFile(join(input, 'config.json'), CONFIG);
});
afterEach(() => rm(folder, { recursive: true }));

/** With number formatting and key order that re-encoding would lose. */
const CONFIG = '{\n    "eps": 1.0e-12,\n  "model_type":"bert"\n}\n';
const rename = { 'decoder_model_merged.onnx': decoderSpec() };

async function add(name: string, text: string | Uint8Array): Promise<void> {
  await writeFile(join(input, name), text);
}

async function run(options: Partial<Parameters<typeof variants>[1]> = {}): Promise<VariantsReport> {
  return variants(input, { output, dtypes: ['q8'], check: false, ...options });
}

const states = ({ files }: VariantsReport): string[] =>
  files.map((one) => `${one.path.slice(output.length + 1)} ${one.status}`);
const textOf = (name: string): Promise<string> => readFile(join(output, name), 'utf8');

test('every float model of the folder gets a file per dtype; existing variants do not count as models', async () => {
  for (const [name, spec] of Object.entries(rename)) await add(name, buildModel(spec));
  await add('encoder_model_fp16.onnx', 'of somebody else');
  const made = await run({ dtypes: ['q4', 'q8', 'fp32', 'q8'] });
  expect(states(made)).toEqual([
    'onnx/decoder_model_merged.onnx written',
    'onnx/decoder_model_merged_quantized.onnx written',
    'onnx/decoder_model_merged_q4.onnx written',
    'onnx/encoder_model.onnx written',
    'onnx/encoder_model_quantized.onnx written',
    'onnx/encoder_model_q4.onnx written',
  ]);
  for (const { path, bytes, floatBytes, dtype } of made.files) {
    expect((await stat(path)).size).toBe(bytes);
    if (dtype !== 'fp32') expect(bytes).toBeLessThan(0.45 * floatBytes);
  }
});

test('the rest of the folder is copied, except weights of other frameworks', async () => {
  await add('tokenizer.json', '{}');
  await add('pytorch_model.bin', 'weights');
  await add('.hidden', '');
  expect((await run()).copied).toEqual(['tokenizer.json']);
  expect((await readdir(output)).sort()).toEqual(['README.md', 'config.json', 'onnx', 'tokenizer.json']);
  expect(await textOf('config.json')).toBe(CONFIG);
});

test('a second run keeps the files of the first; other bytes or options are refused without --force', async () => {
  await run();
  expect(states(await run())).toEqual(['onnx/encoder_model_quantized.onnx kept']);
  expect((await run({ externalData: true })).failures).toMatchObject([{ code: 'exists' }]);
  await add('encoder_model.onnx', buildModel(encoderSpec(7)));
  expect((await run()).failures.map((one) => one.message)).toEqual([
    `${join(output, 'onnx/encoder_model_quantized.onnx')}: already exists, made from other bytes or with other options`,
  ]);
  expect(states(await run({ overwrite: true }))).toEqual(['onnx/encoder_model_quantized.onnx written']);
});

test('data files of a replaced file are removed, and config.json is updated', async () => {
  await run({ externalData: true, chunkBytes: 20_000 });
  const before = (await readdir(join(output, 'onnx'))).length;
  expect(before).toBeGreaterThan(3);
  expect(await textOf('config.json')).toBe(
    `{\n    "eps": 1.0e-12,\n  "model_type":"bert",\n    "transformers.js_config": {\n        "use_external_data_format": {\n            "encoder_model_quantized.onnx": ${before - 1}\n        }\n    }\n}\n`,
  );
  await run({ overwrite: true });
  expect(await readdir(join(output, 'onnx'))).toEqual(['encoder_model_quantized.onnx']);
  expect(JSON.parse(await textOf('config.json'))).toMatchObject({
    'transformers.js_config': { use_external_data_format: { 'encoder_model_quantized.onnx': 0 } },
  });
});

test('a file that is not a model gives an error, and does not stop the others', async () => {
  await add('broken.onnx', 'no model');
  const made = await run();
  expect(states(made)).toEqual(['onnx/encoder_model_quantized.onnx written']);
  expect(made.failures).toHaveLength(1);
  expect(made.failures[0]?.message).toContain(join(input, 'broken.onnx'));
});

test('a config.json that is broken is named where it is to be mended, and keeps no model from being made', async () => {
  await add('config.json', '{ "eps": ');
  const { files, failures } = await run();
  expect([files.length, await readdir(output)]).toEqual([1, ['README.md', 'onnx']]);
  expect(failures).toMatchObject([{ path: join(input, 'config.json'), code: 'malformed' }]);
  expect(failures[0]?.message).toContain(`${join(input, 'config.json')}: is not JSON: `);
});

test('a model without weights to compress is copied, because every part of a model needs a file', async () => {
  const x = { x: f32([1, 4]) };
  await add(
    'embed.onnx',
    buildModel({ opset: 17, inputs: x, outputs: { y: f32([1, 4]) }, nodes: [{ op: 'Relu', in: ['x'], out: ['y'] }] }),
  );
  const made = await run({ dtypes: ['q8', 'q4'] });
  expect(made.files.filter((one) => one.unchanged).map((one) => one.path)).toEqual(
    ['quantized', 'q4'].map((one) => join(output, `onnx/embed_${one}.onnx`)),
  );
  expect(made.notes).toHaveLength(2);
});

test('in the same folder, the existing float model is used', async () => {
  output = input;
  await mkdir(join(input, 'onnx'));
  await writeFile(join(input, 'onnx/model.onnx'), buildModel(encoderSpec(3)));
  await rm(join(input, 'encoder_model.onnx'));
  const made = await run({ dtypes: ['fp32', 'uint8'] });
  expect(states(made)).toEqual(['onnx/model.onnx original', 'onnx/model_uint8.onnx written']);
  expect([made.copied, made.failures]).toEqual([[], []]);
});

test('the model card keeps its text, and rows of files that are not written now', async () => {
  await add('README.md', '---\nlicense: mit\n---\n# Mine\n');
  await run();
  const first = await textOf('README.md');
  expect(first.startsWith('---\nlicense: mit\n---\n# Mine\n\n<!-- onnx-compress variants -->\n')).toBe(true);
  expect(first).toMatch(
    /^\| `onnx\/encoder_model_quantized.onnx` \| `q8` \| \S+ kB \| 29\.\d % \| – \| `onnx-compress quantize --int8` \|$/m,
  );
  await run({ dtypes: ['uint8'] });
  const second = await textOf('README.md');
  for (const file of ['quantized', 'uint8']) expect(second).toContain(`| \`onnx/encoder_model_${file}.onnx\` |`);
  expect(second.match(/<!-- onnx-compress variants -->/g)).toHaveLength(1);
});

test('each file is compared with the float model', async () => {
  const made = await run({ dtypes: ['fp32', 'q8'], check: true });
  expect(made.files.map((one) => one.output)).toEqual(['last_hidden_state', 'last_hidden_state']);
  expect(made.files[0]?.sqnr).toBe(Number.POSITIVE_INFINITY);
  expect(made.files[1]?.sqnr).toBeGreaterThan(28);
  expect(made.data).toBe('random inputs, seed 0');
});

test('a dry run reports sizes and writes nothing', async () => {
  const planned = await run({ dryRun: true });
  expect(states(planned)).toEqual(['onnx/encoder_model_quantized.onnx planned']);
  await expect(stat(output)).rejects.toThrow('ENOENT');
  expect((await run()).files[0]?.bytes).toBe(planned.files[0]?.bytes);
});

test('a dry run refuses what the run would', async () => {
  await run();
  await add('encoder_model.onnx', buildModel(decoderSpec()));
  const [there] = (await run({ dryRun: true })).failures;
  expect(there?.code).toBe('exists');
  expect((await run({ dryRun: true, overwrite: true })).failures).toEqual([]);
});

test('a file made by another version is made again', async () => {
  await run();
  const path = join(output, 'onnx/encoder_model_quantized.onnx');
  const model = await readModel(path);
  const noted = model.metadata.find((one) => one.key === VARIANT_KEY)?.value.load();
  const note = new TextDecoder().decode(await noted);
  expect(JSON.parse(note)).toMatchObject({ dtype: 'q8', version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  model.setMetadata(VARIANT_KEY, note.replace(/"version":"/, '"version":"0.0.0-'));
  await writeModel(model, path, { overwrite: true });
  await model.close();
  const [file] = (await run({ overwrite: true })).files;
  expect(file?.status).toBe('written');
});

test('a single file named like a variant does not count as a float model', async () => {
  await add('model_q4.onnx', buildModel(encoderSpec()));
  const alone = variants(join(input, 'model_q4.onnx'), { output, check: false });
  await expect(alone).rejects.toMatchObject({
    code: 'options',
    message: expect.stringContaining("the q4 file of 'model'"),
  });
});

test('more data files than transformers.js accepts are refused', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 101 }, (_, at) => [`w${at}`, f32([16, 16], randomFloats([16, 16], at))] as const),
  );
  const nodes = Object.keys(many).map((w, at) => ({
    op: 'Add',
    in: [at === 0 ? 'x' : `y${at - 1}`, w],
    out: [`y${at}`],
  }));
  await rm(join(input, 'encoder_model.onnx'));
  await add(
    'model.onnx',
    buildModel({
      opset: 17,
      inputs: { x: f32([16, 16]) },
      outputs: { y100: f32([16, 16]) },
      nodes,
      initializers: many,
    }),
  );
  const made = await run({ dtypes: ['fp32'], externalData: true, chunkBytes: 1024 });
  expect(made.failures).toMatchObject([
    {
      code: 'limit',
      message: `${join(output, 'onnx/model.onnx')}: would have 101 data files; transformers.js supports at most 100`,
    },
  ]);
});

test.each([
  ['bnb4', 'dtypes: bnb4 can be read but not written: it runs 57 times slower than float'],
  ['q9', 'dtypes: "q9" is not one of "fp32", "fp16", "q8", "int8", "uint8", "q4", "q4f16"'],
])('%s is refused', async (dtype, message) => {
  await expect(run({ dtypes: [dtype] })).rejects.toThrow(message);
});

test('a folder without a model is refused', async () => {
  await rm(join(input, 'encoder_model.onnx'));
  await expect(run()).rejects.toThrow('contains no float model, and neither does its folder onnx');
});

const statuses = ({ files }: VariantsReport): string[] => files.map((one) => one.status);

test("a second run keeps all files, also in the model's folder and in the written repository", async () => {
  const dtypes = ['fp32', 'q8'];
  for (const again of [input, output]) {
    const first = await variants(input, { output: again, dtypes, check: false });
    expect([statuses(first), first.failures]).toEqual([['written', 'written'], []]);
    const second = await variants(input, { output: again, dtypes, check: false });
    expect([statuses(second), second.failures]).toEqual([['kept', 'kept'], []]);
  }
  const own = await variants(output, { output, dtypes, check: false });
  expect([statuses(own), own.failures]).toEqual([['original', 'kept'], []]);
});

test('a new model in the folder is not taken for the earlier one', async () => {
  await variants(input, { output: input, dtypes: ['fp32', 'q8'], check: false });
  await add('encoder_model.onnx', buildModel(encoderSpec(2)));
  const { failures } = await variants(input, { output: input, dtypes: ['fp32', 'q8'], check: false });
  expect(failures.map((one) => one.code)).toEqual(['exists', 'exists']);
});

test('a file that another verb has changed is not kept', async () => {
  const [made] = (await run()).files;
  const step = { pass: dequantize(), allowUnchanged: false };
  await using model = await readModel(made?.path ?? '');
  await runStep(step, model);
  await writeModel(model, join(folder, 'changed.onnx'));
  await copyFile(join(folder, 'changed.onnx'), made?.path ?? '');
  expect((await run()).failures).toMatchObject([{ code: 'exists' }]);
});

test('links that lead out of the folder are not copied, and neither are data files of any name', async () => {
  await writeFile(join(folder, 'secret.json'), '{"secret": 1}');
  await symlink(join(folder, 'secret.json'), join(input, 'tokenizer.json'));
  await symlink(join(folder, 'secret.json'), join(input, 'README.md'));
  await add('vocab.txt', 'a');
  const chunks = { name: () => 'weights.blob', most: 1e9 };
  await using model = await readModel(join(input, 'encoder_model.onnx'));
  await writeModel(model, join(input, 'encoder_model.onnx'), { overwrite: true, data: 'external', chunks });
  const { copied, failures } = await run();
  expect(copied).toEqual(['vocab.txt']);
  expect(failures).toMatchObject([{ message: expect.stringMatching(/tokenizer\.json: is a link to a file outside/) }]);
  expect(await textOf('README.md')).not.toContain('secret');
});

test('a model card that is not UTF-8 stays unchanged', async () => {
  const bytes = Buffer.from([0x23, 0x20, 0xe9, 0x0a]);
  await add('README.md', bytes);
  const { failures } = await variants(input, { output: input, dtypes: ['q8'], check: false });
  expect(failures).toMatchObject([{ message: expect.stringMatching(/README\.md: is not UTF-8/) }]);
  expect((await readFile(join(input, 'README.md'))).equals(bytes)).toBe(true);
});

test('a second run without figures keeps the figures of the first in the model card', async () => {
  await run({ check: true });
  const card = await textOf('README.md');
  await run({ check: false });
  expect(await textOf('README.md')).toBe(card);
  expect(card).toMatch(/ dB \|/);
});

test('a run that makes no file leaves nothing new, and keeps existing files', async () => {
  await writeFile(join(input, 'encoder_model.onnx'), 'broken');
  const deep = join(output, 'a/b');
  expect((await variants(input, { output: deep, dtypes: ['q8'], check: false })).failures).toHaveLength(1);
  expect((await readdir(folder)).sort()).toEqual(['in']);
  await mkdir(output);
  expect((await run()).failures).toHaveLength(1);
  expect(await readdir(output)).toEqual([]);
});
