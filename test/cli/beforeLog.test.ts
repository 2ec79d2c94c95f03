import { expect, test } from '@jest/globals';
import { unchangedWith } from '../../src/cli/unchanged.ts';
import type { SkipReason } from '../../src/layers/skip.ts';

test('a model whose weights stay float before a Log is told what would help', () => {
  const factFor = (reason: SkipReason): string => {
    const skip = { weight: 'mel', node: 'n', opType: 'MatMul', elements: 1024, bytes: 4096, reason, detail: 'a fact' };
    const report = { pass: 'quantize', changes: [], skips: [skip], notes: [] };
    return unchangedWith(false)({ report, notes: [] }, 'm.onnx').fact;
  };
  expect(factFor('before_log')).toMatch(/\n {2}--calibrate DATA measures .*; --include NAME quantizes/);
  expect(factFor('no_gain')).not.toContain('--calibrate');
});
