import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { buildModel } from '../support/build.ts';
import { compressEach, fixture, folder } from '../support/cli.ts';
import { crossDecoderSpec } from '../support/crossDecoder.ts';
import { encoderSpec } from '../support/transformers.ts';

test('verify of two folders judges the encoder and the decoder together, and shows the texts', () => {
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
  expect(missing?.stderr).toContain('b: has no encoder_model in the dtype q8');
  expect(files?.stderr).toContain('--tokens: is about two folders with a decoder, and these are none');
  expect(metric?.stderr).toContain('--metric: is about one model, and these are folders');
  expect(text?.stderr).toContain('--prompts: needs tokenizer.json in the first folder');
});
