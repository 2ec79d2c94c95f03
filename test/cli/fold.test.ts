import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { compress, compressEach, copyOf, fixture, folder } from '../support/cli.ts';

test('fold reports what each weight absorbed', () => {
  const cwd = folder();
  const [one] = compressEach([['fold', copyOf('digits-cnn-bn.onnx', cwd), '-o', 'f.onnx']], { cwd });
  expect(one?.code).toBe(0);
  expect(one?.stderr).toBe(`digits-cnn-bn.onnx → f.onnx: 318 kB → 314 kB, 1.3 % smaller
fold: 6 weights absorbed neighbouring constants
  weight        operator  shape              what
  conv3.weight  Conv      float32 96×64×3×3  BatchNormalization folded in
  conv2.weight  Conv      float32 64×32×3×3  BatchNormalization folded in
  conv1.weight  Conv      float32 32×1×3×3   BatchNormalization folded in
  conv3.bias    Conv      float32 96         BatchNormalization folded in
  conv2.bias    Conv      float32 64         BatchNormalization folded in
  conv1.bias    Conv      float32 32         BatchNormalization folded in
  3 BatchNormalization folded into Conv
  12 unused initializers removed
`);
});

test('a model with nothing to fold is written unchanged, and the report says so', () => {
  const cwd = folder();
  const one = compress(['fold', fixture('digits-mlp.onnx'), '-o', 'f.onnx'], { cwd });
  expect(one.code).toBe(0);
  expect(one.stderr).toMatch(/\nfold: no weight changed\n {2}nothing to fold\n$/);
  expect(readFileSync(join(cwd, 'f.onnx')).equals(readFileSync(fixture('digits-mlp.onnx')))).toBe(true);
});
