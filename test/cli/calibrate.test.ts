import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { fixture, folder } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

const BN = fixture('digits-cnn-bn.onnx');
const DATA = fixture('digits-cnn-bn-calib.npz');

test('quantize --calibrate folds, calibrates and quantizes; the ranges can be used again', () => {
  const cwd = folder();
  const one = compress(['quantize', '--calibrate', DATA, '--save-ranges', 'r.json', BN, '-o', 'a.onnx'], { cwd });
  expect(one.code).toBe(0);
  expect(one.stderr).toContain('quantize: 4 weights now int8 per channel, static: 311 kB → 78.9 kB\n');
  expect(one.stderr).toContain(
    '  folded first: 3 BatchNormalization folded into Conv; 12 unused initializers removed\n',
  );
  expect(one.stderr).toContain('  calibrated with digits-cnn-bn-calib.npz: 256 samples, observer minmax\n');
  expect(statSync(join(cwd, 'a.onnx')).size).toBeLessThan(90_000);
  const two = compress(['quantize', '--ranges', 'r.json', BN, '-o', 'b.onnx'], { cwd });
  expect(two.code).toBe(0);
  expect(readFileSync(join(cwd, 'a.onnx')).equals(readFileSync(join(cwd, 'b.onnx')))).toBe(true);
});

test('weights kept float because of their activations are stored in 8 or 16 bits, and the report gives the figure', () => {
  const cwd = folder();
  const args = [
    'quantize',
    '--calibrate',
    DATA,
    '--samples',
    '16',
    '--min-node-sqnr',
    '300',
    '--json',
    BN,
    '-o',
    'a.onnx',
  ];
  const one = compress(args, { cwd });
  expect(one.code).toBe(0);
  const [report] = JSON.parse(one.stdout.toString()).passes;
  expect(report.changes.map((change: { form: string }) => change.form)).toEqual([
    'int8 per channel, weights only',
    'float16, weights only',
    'int8 per channel, weights only',
    'int8 per channel, weights only',
  ]);
  expect(report.skips).toEqual([]);
  for (const change of report.changes) {
    expect(change.instead).toEqual({
      reason: 'low_sqnr',
      detail: expect.stringMatching(/would have an SQNR of \d+\.\d dB in 8 bits; the minimum is 300$/),
      kept: false,
    });
  }
});

test.each([
  [['--calibrate', 'none.npz'], 1, /none\.npz: no such file/],
  [
    ['--calibrate', fixture('digits-mlp-calib.npz')],
    1,
    /digits-mlp-calib\.npz, input 'input': has the shape \[256, 64\]/,
  ],
  [['--calibrate', DATA, '--weights-only', '--equalize'], 2, /--weights-only and --equalize cannot be used together/],
  [['--calibrate', DATA, '-w', '--observer', 'mse'], 2, /--weights-only and --observer cannot be used together/],
  [['--calibrate', DATA, '--uint8'], 2, /--uint8: static quantization uses int8 weights/],
  [['--calibrate', DATA, '--min-node-sqnr', 'low'], 2, /--min-node-sqnr: 'low' is not a number of dB/],
  [['--calibrate', DATA, '--samples', '0'], 2, /--samples: it must be at least 1/],
  [['--calibrate', DATA, '--ranges', 'r.json'], 2, /--calibrate and --ranges cannot be used together/],
  [['--equalize'], 2, /--equalize: applies only to static quantization/],
  [
    ['--calibrate', DATA, '--equalize', '--save-ranges', 'r.json'],
    2,
    /--equalize and --save-ranges cannot be used together/,
  ],
  [['--save-ranges', 'r.json'], 2, /--save-ranges: it requires calibration data/],
  [['--samples', '5'], 2, /--samples: it requires calibration data/],
  [['--batch', '5'], 2, /--batch: it requires calibration data/],
  [['--calibrate', DATA, '--observer', 'best'], 2, /--observer: 'best' is not one of/],
])('%j is refused', (options, code, message) => {
  const cwd = folder();
  const one = compress(['quantize', ...options, BN, '-o', 'a.onnx'], { cwd });
  expect(one.stderr).toMatch(message);
  expect(one.code).toBe(code);
  expect(readdirSync(cwd)).toEqual([]);
});

test('--weights-only with data corrects biases', () => {
  const cwd = folder();
  const one = compress(['quantize', '--weights-only', '--calibrate', DATA, BN, '-o', 'a.onnx'], { cwd });
  expect(one.stderr).toContain('biases corrected in 4 of 4 layers');
  expect(one.stderr).toContain('int8 per channel, weights only');
  expect(one.stderr).not.toContain('per channel, static');
  expect(one.code).toBe(0);
});

test('verify: a gate that passes, and models with different inputs', () => {
  const args = ['verify', fixture('digits-mlp.onnx'), fixture('digits-mlp.onnx'), '--min-top1', '0.5', '--min-sqnr'];
  expect(compress([...args, '100'])).toMatchObject({ code: 0 });
  const bad = compress(['verify', fixture('digits-cnn.onnx'), fixture('digits-mlp.onnx')]);
  expect(bad.code).toBe(1);
  expect(bad.stderr).toMatch(/^error: /);
});

test('random inputs are used only on request, with a warning', () => {
  const cwd = folder();
  const one = compress(['quantize', '--calibrate', 'random', BN, '-o', 'a.onnx'], { cwd });
  expect(one.code).toBe(0);
  expect(one.stderr).toContain('warning: the ranges come from random inputs');
  expect(one.stderr).toContain('calibrated with random inputs, seed 0');
  expect(compress(['quantize', '--calibrate', './random', BN, '-o', 'b.onnx'], { cwd }).stderr).toMatch(
    /\.\/random: no such file/,
  );
});

test('accepts --equalize and --no-bias-correction', () => {
  const cwd = folder();
  const one = compress(['quantize', '--calibrate', DATA, '--equalize', '--no-bias-correction', BN, '-o', 'a.onnx'], {
    cwd,
  });
  expect(one.code).toBe(0);
  expect(one.stderr).toContain('  3 pairs of layers equalized\n');
  expect(one.stderr).not.toContain('bias corrected');
  const gate = ['--data', fixture('digits-cnn-bn-test.npz'), '--min-top1', '0.99', '--require-fused', '-q'];
  expect(compress(['verify', BN, 'a.onnx', ...gate], { cwd })).toMatchObject({ code: 0 });
});
