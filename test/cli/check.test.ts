/** The check of `quantize`: it runs both models, and measures the loss of each weight. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { buildModel, f32, type ModelSpec } from '../support/build.ts';
import { compressEach, copyOf, fixture, folder } from '../support/cli.ts';
import { randomFloats } from '../support/random.ts';
import { compress } from '../support/resident.ts';

const CALIB = fixture('digits-cnn-calib.npz');

test('--check runs both models, and prints the SQNR of each output and the time of a run', () => {
  const cwd = folder();
  const args = ['quantize', '--check', '--json', copyOf('digits-cnn.onnx', cwd), '-o', 'q.onnx'];
  const { code, stdout, stderr } = compress(args, { cwd });
  expect(code).toBe(0);
  expect(stderr).toMatch(/^checked: logits 4\d\.\d dB, \d+\.\d\d of the time of a run \(random inputs, seed 0\)$/m);
  const { check, passes } = JSON.parse(stdout.toString());
  expect(check).toMatchObject({ samples: 8, outputs: [{ name: 'logits', sqnr: expect.any(Number) }] });
  expect(check.ratio).toBeGreaterThan(0);
  for (const one of passes[0].changes) expect(one.sqnr).toBeGreaterThan(43);
  expect(stderr).toMatch(/^ {2}weight .* SQNR/m);
});

test('given data, the check runs on it by default; --no-check omits it silently', () => {
  const cwd = folder();
  const model = copyOf('digits-cnn.onnx', cwd);
  const given = ['quantize', '--calibrate', CALIB, '--samples', '16', model];
  const one = compress([...given, '-o', 'a.onnx'], { cwd });
  expect(one.stderr).toMatch(/^checked: logits \d\d\.\d dB, .* \(digits-cnn-calib\.npz: 8 samples\)$/m);
  for (const rest of [['-o', 'b.onnx', '--no-check'], ['-n']]) {
    const other = compress([...given, ...rest], { cwd });
    expect([other.code, other.stderr.includes('checked')]).toEqual([0, false]);
  }
});

test('models that could not be run are refused before the work', () => {
  const cwd = folder();
  const model = copyOf('digits-mlp.onnx', cwd);
  const [streamed, dry] = compressEach(
    [
      ['quantize', '--check', model],
      ['quantize', '--check', '-n', model, '-o', 'q.onnx'],
    ],
    { cwd },
  );
  expect(streamed?.stderr).toContain('--check: both models must be files to be run');
  expect(dry?.stderr).toContain('--check: a dry run writes no model that could be run');
  expect([streamed?.code, dry?.code]).toEqual([2, 2]);
});

test('recipes do not accept the option', () => {
  const cwd = folder();
  writeFileSync(join(cwd, 'r.json'), JSON.stringify({ onnxCompress: 1, steps: [{ verb: 'quantize', check: true }] }));
  const { code, stderr } = compress(['run', 'r.json', fixture('digits-mlp.onnx'), '-n'], { cwd });
  expect(code).toBe(2);
  expect(stderr).toContain('it applies to a whole run, not to a step');
});

describe('a weight that loses too much in 8 bits', () => {
  // The weights of an input that is always zero are so large that the other weights become smaller than a step.
  const weight = randomFloats([32, 32], 1).map((value, at) => (at < 32 ? 1e4 : value));
  const spec: ModelSpec = {
    opset: 17,
    inputs: { x: f32(['n', 32]) },
    outputs: { y: f32(['n', 32]) },
    initializers: { w: f32([32, 32], weight), mask: f32([32], [0, ...new Array(31).fill(1)]) },
    nodes: [
      { op: 'Mul', in: ['x', 'mask'], out: ['h'] },
      { op: 'MatMul', in: ['h', 'w'], out: ['y'] },
    ],
  };

  test('is named in the warning', () => {
    const cwd = folder();
    writeFileSync(join(cwd, 'm.onnx'), buildModel(spec));
    const { stderr } = compress(['quantize', '--min-elements', '0', '--check', 'm.onnx', '-o', 'q.onnx'], { cwd });
    expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(
      /warning: y keeps less than 20 dB; w lost most of all weights \(\d+\.\d dB\) next: onnx-compress tune finds out which .* must stay float/,
    );
  });
});
