import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { buildModel, f32, i64, type ModelSpec } from '../support/build.ts';
import { fixture, folder, oneLine } from '../support/cli.ts';
import { npzOf } from '../support/npz.ts';
import { randomFloats } from '../support/random.ts';
import { compress } from '../support/resident.ts';

const cwd = folder();
const written = (name: string, spec: ModelSpec): string => {
  writeFileSync(join(cwd, name), buildModel(spec));
  return name;
};
const reshape = written('reshape.onnx', {
  opset: 13,
  inputs: { x: f32(['n', 'length']) },
  outputs: { y: f32() },
  nodes: [
    { op: 'Reshape', in: ['x', 's'], out: ['r'] },
    { op: 'Gemm', in: ['r', 'w'], out: ['y'] },
  ],
  initializers: { s: i64([2], [1, 7]), w: f32([7, 32], randomFloats([7, 32], 1)) },
});
const rankless = written('rankless.onnx', {
  opset: 13,
  inputs: { x: f32() },
  outputs: { y: f32() },
  nodes: [{ op: 'Relu', in: ['x'], out: ['y'] }],
});

test.each([
  [['verify', reshape, reshape], '--data', 'reshape.onnx: does not run on random inputs: ONNX Runtime: '],
  [['bench', reshape], '--data', 'reshape.onnx: does not run on random inputs: ONNX Runtime: '],
  [
    ['quantize', '--calibrate', 'random', reshape, '-o', 'o.onnx'],
    '--calibrate',
    'does not run on random inputs: ONNX Runtime: ',
  ],
  [['verify', rankless, rankless], '--data', "input 'x': random values of unknown rank cannot be generated for it"],
])(
  '%j: if no random inputs work, one sentence says so, and a hint names the option for data',
  (line, option, sentence) => {
    const { code, stdout, stderr } = compress(line, { cwd });
    expect([code, stdout.toString()]).toEqual([1, '']);
    expect(stderr).toContain(sentence);
    expect(stderr).toMatch(new RegExp(`^error: [^\\n]*\\n {2}Give real inputs: ${option} FILE\\.\\n$`));
  },
);

test('the error of ONNX Runtime for data that does not fit is printed once, with the sample', () => {
  writeFileSync(join(cwd, 'd.npz'), npzOf({ x: { dims: [2, 8], data: randomFloats([2, 8], 1) } }));
  const { code, stderr } = compress(['verify', reshape, reshape, '--data', 'd.npz'], { cwd });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: d\.npz, row 0: reshape\.onnx: ONNX Runtime: [^\n]*\n$/);
});

test('for two different models, the error names the inputs that differ', () => {
  const { code, stderr } = compress(['verify', fixture('digits-mlp.onnx'), fixture('digits-cnn.onnx')], { cwd });
  expect(code).toBe(1);
  expect(oneLine(stderr)).toMatch(
    /digits-cnn\.onnx: has different inputs: 'input' is float32 \[batch, 1, 8, 8\]; in .*digits-mlp\.onnx it is float32 \[batch, 64\] Were both made from the same model\?/,
  );
  const bench = compress(['bench', fixture('digits-mlp.onnx'), fixture('digits-cnn.onnx')], { cwd });
  expect(oneLine(bench.stderr)).toContain("has different inputs: 'input' is float32 [batch, 1, 8, 8]");
});
