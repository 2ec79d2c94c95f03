import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { compress, fixture, folder } from '../support/cli.ts';

test('restores the float model of a quantized one, and refuses a float one', () => {
  const cwd = folder();
  const model = fixture('digits-mlp.onnx');
  compress(['quantize', '--weights-only', '--min-elements', '0', model, '-o', 'small.onnx'], { cwd });
  const done = compress(['dequantize', 'small.onnx', '-o', 'float.onnx'], { cwd });
  expect(done.stderr).toMatch(/^dequantize: \d+ weights now float32 from int8/m);
  expect(done.stderr).toContain('fc1.weight');
  expect(readFileSync(join(cwd, 'float.onnx')).byteLength).toBeGreaterThan(200_000);
  const again = compress(['dequantize', 'float.onnx', '-o', 'again.onnx'], { cwd });
  expect(again.code).toBe(1);
  expect(again.stderr).toContain(
    'dequantize found nothing to change: the model has no integer weights or computations',
  );
  expect(compress(['dequantize', '--allow-unchanged', '-n', 'float.onnx'], { cwd }).code).toBe(0);
});
