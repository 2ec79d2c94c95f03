import { expect, test } from '@jest/globals';
import { nextStep } from '../../src/cli/next.ts';
import type { RunReport } from '../../src/cli/pipe.ts';
import { sizeWords, verdictOf } from '../../src/cli/verdict.ts';
import type { PassReport } from '../../src/index.node.ts';

const N = 1_000_000;
const FLOAT = { weight: 'w', nodes: [], opType: 'MatMul', dtype: 'float32', dims: [1000, 1000], elements: N } as const;
const SAME = { before: 4 * N, after: 4 * N };
const EIGHT = { before: 4 * N, after: N };

function pass(
  name: string,
  change: Partial<PassReport['changes'][number]>,
  more: Partial<PassReport> = {},
): PassReport {
  return { pass: name, changes: [{ ...FLOAT, ...SAME, ...change }], skips: [], notes: [], ...more };
}

function report(passes: readonly PassReport[], more: Partial<RunReport> = {}): RunReport {
  const files = { input: 'm.onnx', output: 'o.onnx', dataFiles: [], gzip: undefined, notes: [] };
  return { ...files, before: 4 * N, after: passes.at(-1)?.changes[0]?.after ?? 0, passes, ...more };
}

test('after pruning suggests quantize and pack, pack alone if nothing is float, nothing for few zeros or in our own pipe', () => {
  const half = pass('prune', { zeros: N / 2 });
  expect(nextStep(report([half]))).toBe(
    'zeros alone make a model neither smaller nor faster: onnx-compress quantize stores weights in 8 bits (about 1.06 MB), then onnx-compress pack leaves them out (about 655 kB)',
  );
  expect(nextStep(report([half], { reader: 'ours' }))).toBeUndefined();
  expect(nextStep(report([pass('prune', { zeros: 40 })]))).toBe(
    'onnx-compress quantize stores weights in 8 bits (about 1.06 MB)',
  );
  const check = { data: 'd', samples: 8, outputs: [{ name: 'y', sqnr: 3 }], ratio: 1 };
  expect(nextStep(report([half], { check }))).toMatch(/^onnx-compress verify --data DATA measures the accuracy/);
  const integers = pass('prune', { zeros: N / 2, dtype: 'int8', before: N, after: N });
  expect(nextStep(report([integers]))).toMatch(/faster: onnx-compress pack leaves them out \(about 625 kB\)$/);
  expect(nextStep(report([pass('prune', { zeros: N / 10, dtype: 'int8', before: N, after: N })]))).toBeUndefined();
  expect(nextStep(report([half, pass('pack', { after: 2 * N })]))).toBeUndefined();
  expect(nextStep(report([half, pass('quantize', EIGHT)]))).toMatch(/pack leaves out the zeros \(about 625 kB\)$/);
});

test('after channel pruning suggests quantize', () => {
  expect(nextStep(report([pass('channels', { after: 2 * N })]))).toMatch(/8 bits \(about 530 kB\)$/);
});

test('after quantize suggests tune, calibration, float16, 4 bits or verify, depending on the report', () => {
  const poor = pass('quantize', { ...EIGHT, sqnr: 25 }, { facts: [{ kind: 'stored_convs', weights: 3, time: 0.4 }] });
  expect(nextStep(report([poor]))).toMatch(
    /^onnx-compress tune finds out which of this layer and others must stay float/,
  );
  const convs = (time: number): PassReport =>
    pass('quantize', { ...EIGHT, opType: 'Conv' }, { facts: [{ kind: 'stored_convs', weights: 3, time }] });
  expect(nextStep(report([convs(0.4)]))).toMatch(/^--calibrate DATA runs the 3 Conv layers on integers/);
  expect(nextStep(report([convs(0.95)]))).toMatch(/^onnx-compress verify/);
  const skip = { weight: 'v', node: 'n', opType: 'Add', elements: N, bytes: 4 * N, detail: '' };
  const rest = pass('quantize', { ...EIGHT }, { skips: [{ ...skip, reason: 'unsupported_op' }] });
  expect(nextStep(report([rest], { after: 5 * N }))).toMatch(/--float16 .* halves the 1 weight .* \(about 3\.00 MB\)$/);
  expect(nextStep(report([pass('quantize', EIGHT)]))).toMatch(/^--int4 .* \(about 560 kB\)/);
  expect(nextStep(report([pass('quantize', { ...EIGHT, bits: 4 })]))).toMatch(/^onnx-compress verify/);
  expect(nextStep(report([pass('quantize', { ...EIGHT, bits: 4 })], { output: undefined }))).toBeUndefined();
  const good = { data: 'd', samples: 8, outputs: [{ name: 'y', sqnr: 40 }], ratio: 0.8 };
  expect(nextStep(report([pass('quantize', { ...EIGHT, bits: 4 })], { check: good }))).toBeUndefined();
});

test('the verdict gives size, loss and time', () => {
  const plain = (text: string): string => text;
  const check = {
    data: 'd',
    samples: 8,
    outputs: [
      { name: 'y', sqnr: 40 },
      { name: 'z', sqnr: 30 },
    ],
    ratio: 0.8,
  };
  const passes = [pass('quantize', { ...EIGHT, sqnr: 44 })];
  expect(verdictOf(report(passes), plain)).toBe('4.00 MB → 1.00 MB, 4.0× smaller, weights ≥ 44.0 dB');
  expect(verdictOf(report(passes, { check }), plain)).toBe('4.00 MB → 1.00 MB, 4.0× smaller, SQNR 30.0 dB, time ×0.80');
  const pruned = report([pass('prune', { zeros: N / 2 })], { gzip: 2 * N });
  expect(verdictOf(pruned, plain)).toBe('4.00 MB → 4.00 MB, 50.0 % zeros, about 2.00 MB with gzip');
  expect([
    sizeWords(100, 100),
    sizeWords(100, 95),
    sizeWords(100, 120),
    sizeWords(160, 10),
    sizeWords(100, 370),
  ]).toEqual([...['the same size', '5.0 % smaller', '20.0 % larger', '16× smaller', '3.7× larger']]);
});
