/** Checks every fact of src/targets in onnxruntime-node. */
import { describe, expect, test } from '@jest/globals';
import { ONNX_RUNTIME_CPU } from '../../src/targets/onnxruntime.ts';
import { ACTIVATIONS } from './facts/activations.ts';
import { KERNELS } from './facts/kernels.ts';
import type { Check } from './facts/look.ts';
import { REWRITES } from './facts/rewrites.ts';
import { WEIGHTS } from './facts/weights.ts';

const CHECKS: Readonly<Record<string, Check>> = { ...WEIGHTS, ...REWRITES, ...ACTIVATIONS, ...KERNELS };

test('every row has a sentence, a source and a version', () => {
  for (const { says, source, version } of Object.values(ONNX_RUNTIME_CPU)) {
    expect(says).toMatch(/^[A-Z].*\.$/s);
    expect(source).toMatch(
      /^https:\/\/github\.com\/microsoft\/onnxruntime\/blob\/main\/\S+$|^benchmarks\/[a-z-]+\.js$/,
    );
    expect(version).toMatch(/1\.30$/);
  }
});

describe('ONNX Runtime does what the row says', () => {
  test.each(Object.entries(CHECKS))('%s', (_, check) => check());
});
