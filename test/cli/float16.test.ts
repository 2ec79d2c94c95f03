import { expect, test } from '@jest/globals';
import { fixture, folder } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

test('calibration names values near 65504; low bits can be combined with float16', () => {
  const cwd = folder();
  const [model, data] = [fixture('digits-vit.onnx'), fixture('digits-vit-calib.npz')];
  const args = [
    'quantize',
    '--int4',
    '--form',
    'nbits',
    '--float16',
    '--target',
    'webgpu',
    '--calibrate',
    data,
    '--samples',
    '8',
  ];
  const done = compress([...args, '--no-check', model, '-o', 'q4f16.onnx'], { cwd });
  expect(done.stderr).toMatch(/^quantize: \d+ weights/m);
  expect(done.stderr).toMatch(/^16 bits: \d+ weights now float16/m);
  expect(done.stderr).toContain('calibrated with digits-vit-calib.npz: 8 samples');
  expect(done.stderr).toMatch(/\d+ nodes compute in float16, with \d+ Casts/);
});

test.each([
  [['--float16', '--int8'], '--int8 and --float16'],
  [['--float16', '--bfloat16'], '--float16 and --bfloat16'],
  [['--float16', '--samples', '8'], 'nothing is calibrated'],
  [['--float16', '--io', 'float16'], 'float16 inputs and outputs require a model that computes in float16'],
])('%j is refused', (args, fact) => {
  const done = compress(['quantize', ...args, '--dry-run', fixture('digits-mlp.onnx')]);
  expect([done.code, done.stderr]).toEqual([2, expect.stringContaining(fact)]);
});
