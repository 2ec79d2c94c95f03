import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { buildModel, f32, i64 } from '../support/build.ts';
import { compressEach, fixture, folder, shell } from '../support/cli.ts';
import { randomFloats } from '../support/random.ts';
import { compress } from '../support/resident.ts';

const CNN = fixture('digits-cnn.onnx');
const CALIB = fixture('digits-cnn-calib.npz');

test('prune --channels runs the model before and after, and writes a smaller one', () => {
  const out = join(folder(), 'small.onnx');
  const { code, stderr } = compress(['prune', '--channels', '0.3', CNN, '-o', out]);
  const lines = stderr.split('\n');
  expect([code, stderr]).toEqual([0, expect.stringMatching(/small\.onnx: 314 kB → 180 kB, 1\.7× smaller\n/)]);
  expect(lines).toContain('channels: 7 weights: 312 kB → 179 kB');
  expect(lines).toContainEqual(expect.stringMatching(/onnx::Conv_41 +Conv +float32 64×32×3×3 .* 48×24×3×3/));
  expect(lines.slice(-5)).toEqual([
    '  parameters: 78058 → 44722 (−42.7 %)',
    '  multiply-adds per row: 2086656 → 1177920 (−43.5 %)',
    '  checked by running both models: the output shapes are the same',
    'next: onnx-compress quantize stores the weights in 8 bits (about 49.0 kB).',
    '',
  ]);
  expect(statSync(out).size).toBeLessThan(statSync(CNN).size * 0.6);
});

test.each(['digits-vit.onnx', 'digits-cnn-bn.onnx', 'mymodel.onnx', 'edge/tied-embedding.onnx'])(
  'parameters of %s, before and after, are those inspect counts',
  (name) => {
    const cwd = folder();
    const [pruned, before, after] = compressEach(
      [
        ['prune', '--channels', '0.3', fixture(name), '-o', 'small.onnx'],
        ['inspect', '--json', fixture(name)],
        ['inspect', '--json', 'small.onnx'],
      ],
      { cwd },
    );
    const [old, now] = [before, after].map((one) => JSON.parse(one?.stdout.toString() ?? '').parameters as number);
    expect(pruned?.stderr).toContain(`  parameters: ${old} → ${now} (−`);
  },
);

test('--dry-run reports every group, also as JSON', () => {
  const args = ['prune', '--channels', '0.3', '--round-to', '1', '--norm', 'l2', '-n', CNN];
  const { stderr } = compress(args);
  expect(stderr).toContain('onnx::Conv_41 → onnx::Conv_44: 64 → 45 channels');
  expect(stderr).toContain("fc.weight: 10 channels stay: they are the channels of the graph output 'logits'");
  const { stdout } = compress([...args, '--json', '-q']);
  const [report] = (JSON.parse(stdout.toString()) as { passes: { groups: unknown[] }[] }).passes;
  expect(report?.groups).toContainEqual({ outputs: ['onnx::Conv_44'], inputs: ['fc.weight'], before: 96, after: 67 });
});

test('with data it corrects biases, refits layers and ranks by wanda; the result can be quantized', () => {
  const path = folder();
  const plain = compress(['prune', '--channels', '0.3', '--calibrate', CALIB, CNN, '-o', join(path, 'plain.onnx')]);
  expect(plain.stderr).toContain('3 layers absorbed the mean of their lost inputs into the bias');
  const line = `onnx-compress prune --channels 0.3 --calibrate ${CALIB} --reconstruct --norm wanda --samples 64 ${CNN} | onnx-compress quantize --calibrate ${CALIB} -o q.onnx`;
  const { code, stderr } = shell(line, { cwd: path });
  expect([code, stderr]).toEqual([0, expect.stringContaining('3 layers refitted to the remaining channels')]);
  expect(stderr).toContain('activations of digits-cnn-calib.npz: 64 samples');
  expect(statSync(join(path, 'q.onnx')).size).toBeLessThan(60_000);
  const weights = compress(['quantize', '--int8', '--weights-only', 'plain.onnx', '-o', 'w.onnx'], { cwd: path });
  expect([weights.code, statSync(join(path, 'w.onnx')).size < 60_000]).toEqual([0, true]);
  const judged = compress(['verify', 'plain.onnx', 'q.onnx', '--data', fixture('digits-cnn-test.npz')], { cwd: path });
  expect(judged.code).toBe(0);
});

test('wrong options are refused before any file is read', () => {
  const cases: [string[], RegExp][] = [
    [
      ['--channels', '1.5'],
      /--channels: '1\.5' is not a fraction between 0 and 1\n {2}For example, --channels 0\.3 removes/,
    ],
    [['--channels', '5'], /not a fraction between 0 and 1/],
    [['--channels', '0.3', '--reconstruct'], /--reconstruct: needs data to run the model on\n {2}.*--calibrate FILE/],
    [['--channels', '0.3', '--norm', 'wanda'], /--norm wanda: needs data/],
    [['--channels', '0.3', '--norm', 'l3'], /--norm: 'l3' is not one of/],
    [['--channels', '0.3', '--samples', '4'], /--samples: needs data/],
    [['--channels', '0.3', '--calibrate', 'random'], /--calibrate: random inputs do not show which channels matter/],
    [['--channels', '0.3', '--round-to', '0'], /--round-to: it must be at least 1/],
    [['--channels', '0.3', '--l1', '0.2'], /--l1 and --channels cannot be used together/],
    [['--l1', '0.2', '--round-to', '8'], /--round-to: --l1 does not use it\n.*applies to --channels/],
    [['--channels', '0.3', '--op-types', 'LSTM'], /'LSTM' is not an operator/],
  ];
  const found = compressEach(cases.map(([args]) => ['prune', ...args, '-n', '/nowhere.onnx']));
  found.forEach(({ code, stderr }, index) => {
    expect([code, stderr]).toEqual([2, expect.stringMatching(cases[index]?.[1] as RegExp)]);
  });
});

test('a model without removable channels is an error, and no file is written unless that is allowed', () => {
  const path = folder();
  const { code, stderr } = compress(['prune', '--channels', '0.3', '--exclude', '.', CNN, '-o', 'x.onnx'], {
    cwd: path,
  });
  expect([code, stderr]).toEqual([1, expect.stringContaining('channels found nothing to change')]);
  const allowed = compress(['prune', '--channels', '0.3', '--exclude', '.', '--allow-unchanged', CNN, '-o', 'x.onnx'], {
    cwd: path,
  });
  expect(allowed.code).toBe(0);
  expect(readFileSync(join(path, 'x.onnx'))).toEqual(readFileSync(CNN));
});

test('says so if a model does not run on random inputs', () => {
  const path = join(folder(), 'odd.onnx');
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32(['rows', 'length']) },
    outputs: { y: f32() },
    nodes: [
      { op: 'Reshape', in: ['x', 's'], out: ['r'] },
      { op: 'MatMul', in: ['r', 'a'], out: ['h'] },
      { op: 'MatMul', in: ['h', 'b'], out: ['y'] },
    ],
    initializers: {
      s: i64([2], [3, 7]),
      a: f32([7, 16], randomFloats([7, 16], 1)),
      b: f32([16, 2], randomFloats([16, 2], 2)),
    },
  });
  writeFileSync(path, bytes);
  const { code, stderr } = compress(['prune', '--channels', '0.5', path, '-n']);
  expect([code, stderr]).toEqual([
    0,
    expect.stringContaining('the result was not checked: it does not run on random inputs'),
  ]);
  expect(stderr).not.toContain('onnxruntime:');
});
