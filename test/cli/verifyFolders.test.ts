import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { buildModel } from '../support/build.ts';
import { compressEach, fixture, folder } from '../support/cli.ts';
import { crossDecoderSpec } from '../support/crossDecoder.ts';
import { encoderSpec } from '../support/transformers.ts';

test('verify of two folders compares encoder and decoder together, and shows the texts', () => {
  const cwd = folder();
  for (const [name, seed] of [
    ['a', 3],
    ['b', 4],
  ] as const) {
    mkdirSync(join(cwd, name, 'onnx'), { recursive: true });
    writeFileSync(join(cwd, name, 'encoder_model.onnx'), buildModel(encoderSpec()));
    writeFileSync(join(cwd, name, 'onnx/decoder_model.onnx'), buildModel(crossDecoderSpec('decoder_model', seed)));
  }
  const few = ['--samples', '2', '--tokens', '3'];
  const M = fixture('mymodel.onnx');
  const [same, other, json, gate, missing, files, metric, text] = compressEach(
    [
      ['verify', 'a', 'a', ...few],
      ['verify', 'a', 'b', ...few],
      ['verify', 'a', 'b', ...few, '--json'],
      ['verify', 'a', 'b', ...few, '--min-top1', '0.9', '-q'],
      ['verify', 'a', 'b', '--dtype', 'q8'],
      ['verify', M, M, '--tokens', '3'],
      ['verify', 'a', 'b', '--metric', 'top1'],
      ['verify', 'a', 'b', '--prompts', 'p.txt'],
    ],
    { cwd },
  );
  expect(same?.code).toBe(0);
  expect(same?.stdout.toString()).toBe(`a, fp32, against a: random inputs, seed 0; 2 texts of 3 tokens at most
  Random inputs: they show that the two agree, not how well either does. Give real ones with --data.
  model                   SQNR    top-1  same texts
  encoder                    ∞
  decoder, without cache     ∞  100.0 %
  both, without cache        ∞  100.0 %      2 of 2
  All 2 texts are the same.
`);
  expect(other?.stdout.toString()).toMatch(
    /0 of 2\n {2}random inputs, run 0: the first 0 tokens are the same\n {4}float {2}\d+/,
  );
  const report = JSON.parse(json?.stdout.toString() ?? '');
  expect(report).toMatchObject({
    encoder: { sqnr: 'Infinity' },
    decoders: [{ form: 'without cache', sameTexts: { count: 0, of: 2 } }],
  });
  expect(gate?.stderr).toMatch(/^error: b: decoder without cache: output 'logits' has the same top-1 in \d of 6 rows/);
  expect([gate?.code, missing?.code, files?.code, metric?.code, text?.code]).toEqual([3, 2, 2, 2, 2]);
  expect(missing?.stderr).toContain('b: has no encoder_model of dtype q8');
  expect(files?.stderr).toContain('--tokens: is about two folders with a decoder, and these are none');
  expect(metric?.stderr).toContain('--metric: applies to a single model, not to folders');
  expect(text?.stderr).toContain('--prompts: needs tokenizer.json in a, and');
});

test('tune of a folder writes another one with its models tuned as one, and copies the rest', () => {
  const cwd = folder();
  mkdirSync(join(cwd, 'a', 'onnx'), { recursive: true });
  const [encoder, decoder, other] = ['encoder_model.onnx', 'onnx/decoder_model.onnx', 'onnx/vision.onnx'] as const;
  writeFileSync(join(cwd, 'a', encoder), buildModel(encoderSpec()));
  writeFileSync(join(cwd, 'a', decoder), buildModel(crossDecoderSpec('decoder_model')));
  writeFileSync(join(cwd, 'a', other), buildModel(encoderSpec(9)));
  writeFileSync(join(cwd, 'a', 'config.json'), '{"decoder_start_token_id": 7}');
  const row = (each: (at: number) => number): number[][] => [[0, 1, 2].map(each)];
  const ids = { input_ids: row((at) => at + 1), attention_mask: row(() => 1), token_type_ids: row(() => 0) };
  writeFileSync(join(cwd, 'rows.json'), JSON.stringify(ids));
  const few = ['tune', 'a', '--data', 'rows.json', '--tokens', '2', '--max-trials', '1'];
  const [done, file, there, one] = compressEach(
    [
      [...few, '--min-sqnr', '1', '-o', 'small', '--save-recipe', 'r.json'],
      [...few, '-o', 'small.onnx'],
      [...few, '-o', 'small'],
      [...few, '--judge', 'logits'],
    ],
    { cwd },
  );
  expect(done?.code).toBe(0);
  expect(done?.stderr.toString()).toMatch(/texts of 2 tokens at most; at least 1 dB are needed[\s\S]*small is written/);
  for (const name of [encoder, decoder]) {
    expect(statSync(join(cwd, 'small', name)).size).toBeLessThan(0.5 * statSync(join(cwd, 'a', name)).size);
  }
  for (const name of [other, 'config.json']) {
    expect(readFileSync(join(cwd, 'small', name)).equals(readFileSync(join(cwd, 'a', name)))).toBe(true);
  }
  expect(existsSync(join(cwd, 'r.json'))).toBe(true);
  expect([file?.code, there?.code, one?.code]).toEqual([2, 1, 2]);
  expect(file?.stderr).toContain("'small.onnx' is a file");
  expect(there?.stderr).toContain('encoder_model.onnx: the file already exists');
  expect(one?.stderr).toContain('--judge: applies to a single model, not to a folder');
});
