import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { BenchReport } from '../../src/node/runtime/bench.ts';
import { compress, fixture, folder } from '../support/cli.ts';

const MLP = fixture('digits-mlp.onnx');
const cwd = folder();
const SMALL = join(cwd, 'small.onnx');
const QUICK = ['--runs', '3', '--warmup', '0'];

beforeAll(() => {
  expect(compress(['quantize', MLP, '-o', SMALL, '-q']).code).toBe(0);
});

test('prints a table for each batch size, and one for the files', () => {
  const { code, stdout, stderr } = compress(['bench', MLP, SMALL, '--batch', '1,8', '--threads', '1', ...QUICK]);
  expect([code, stderr]).toEqual([0, '']);
  const lines = stdout.toString().split('\n');
  expect(lines[0]).toBe('random inputs, seed 0, 1 thread');
  expect(lines.filter((line) => /^batch (1|8): 3 alternating runs$/.test(line))).toHaveLength(2);
  expect(lines.filter((line) => /small\.onnx .* ms .*–.* \d\.\d\d× .*–/.test(line))).toHaveLength(2);
  const file = lines.find((line) => /small\.onnx .* %/.test(line)) ?? '';
  expect(file).toMatch(/54\.2 kB +26\.6 % +[\d.]+ ms +[\d.]+ MB$/);
});

test('--json has all figures, including memory', () => {
  const { code, stdout } = compress([
    'bench',
    MLP,
    SMALL,
    '--json',
    '--data',
    fixture('digits-mlp-test.npz'),
    ...QUICK,
  ]);
  expect(code).toBe(0);
  const report = JSON.parse(stdout.toString()) as BenchReport;
  expect(report.data).toMatch(/^digits-mlp-test\.npz: 600 samples$/);
  expect(report.models.map((one) => one.model)).toEqual([MLP, SMALL]);
  for (const { peakBytes, loadMs } of report.models) {
    expect(peakBytes).toBeGreaterThan(2e7);
    expect(loadMs).toBeGreaterThan(0);
  }
  const [{ batch, runs, models } = { batch: 0, runs: 0, models: [] }] = report.batches;
  expect([batch, runs, models[0]?.ratio]).toEqual([1, 3, { median: 1, p10: 1, p90: 1 }]);
  expect(models[1]?.ms.p10).toBeGreaterThan(0);
});

test('prints no ratios for a single model', () => {
  const { code, stdout } = compress(['bench', MLP, ...QUICK]);
  expect(code).toBe(0);
  expect(stdout.toString()).not.toMatch(/of the first|×/);
});

test('a failed gate exits 3 after the report, whose JSON has the error', () => {
  const gate = ['bench', MLP, MLP, '--max-ratio', '0.0001', ...QUICK];
  const { code, stdout, stderr } = compress(gate);
  const json = compress([...gate, '--json']);
  expect(code).toBe(3);
  expect(stdout.toString()).toMatch(/×/);
  const { version, models, error } = JSON.parse(json.stdout.toString());
  expect([json.code, version, models.length, error.code, error.where]).toEqual([3, 1, 2, 'gate', MLP]);
  expect(json.stderr).toBe(`error: ${error.message}\n`);
  expect(stderr).toMatch(
    /error: .*digits-mlp\.onnx: '.*' takes .* times as long as the first at batch 1; .*at most 0\.0001 is allowed/,
  );
});

test.each([
  [['bench'], 2, /needs 1 model|models/],
  [['bench', '-'], 2, /models must be files/],
  [['bench', MLP, '--batch', '0'], 2, /--batch: it must be at least 1/],
  [['bench', MLP, '--batch', ','], 2, /--batch: a batch size is required/],
  [['bench', MLP, '--runs', 'x'], 2, /--runs: 'x' is not a whole number/],
  [['bench', MLP, '--max-ratio', 'x'], 2, /--max-ratio: 'x' is not a ratio/],
  [['bench', 'none.onnx'], 1, /none\.onnx: no such file/],
])('%j is refused', (args, exit, message) => {
  const { code, stdout, stderr } = compress(args);
  expect([code, stdout.length]).toEqual([exit, 0]);
  expect(stderr).toMatch(message);
});
