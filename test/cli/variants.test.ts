import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { compressEach, fixture, folder, oneLine } from '../support/cli.ts';

test('variants writes a file per dtype, keeps existing ones, and exits 1 if one cannot be made', () => {
  const [input, output] = [join(folder(), 'exported'), join(folder(), 'repository')];
  mkdirSync(input);
  copyFileSync(fixture('digits-mlp.onnx'), join(input, 'model.onnx'));
  writeFileSync(join(input, 'broken.onnx'), 'no model');
  const [first, again, none, bad, alone] = compressEach([
    ['variants', input, '-o', output, '--dtypes', 'q8,q4', '--no-check'],
    ['variants', input, '-o', output, '--dtypes', 'q8', '--no-check', '--json', '--quiet'],
    ['variants', input],
    ['variants', input, '-o', output, '--dtypes', 'bnb4'],
    ['variants', join(input, 'model.onnx'), '-o', join(folder(), 'alone'), '--dtypes', 'q8'],
  ]);
  expect(first?.code).toBe(1);
  const said = first?.stderr.toString() ?? '';
  expect(said).toMatch(/model_quantized\.onnx +q8 +5\d\.\d kB +2\d\.\d % +written/);
  expect(said).toMatch(/model_q4\.onnx +q4 +3\d\.\d kB +1\d\.\d % +written/);
  expect(said).toMatch(/error: \S+broken\.onnx: /);
  expect(oneLine(said)).toContain('2 files made, 1 was not Fix that and run it again');
  expect(readdirSync(join(output, 'onnx')).sort()).toEqual(['model_q4.onnx', 'model_quantized.onnx']);
  const report = JSON.parse(again?.stdout.toString() ?? '') as { files: { status: string; steps: object[] }[] };
  expect(report.files.map((one) => one.status)).toEqual(['kept']);
  expect(report.files[0]?.steps).toEqual([{ verb: 'quantize', int8: true, allowUnchanged: true }]);
  expect([none?.code, none?.stderr.toString()]).toEqual([
    2,
    'error: --output: no output folder is given\n  Name one: -o repository.\n',
  ]);
  expect(bad?.code).toBe(2);
  expect(alone?.stderr.toString()).toMatch(/q8 +\S+ kB +2\d\.\d % +4\d\.\d\d dB +written/);
  expect(alone?.code).toBe(0);
});
