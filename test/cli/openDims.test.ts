import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import onnxProto from 'onnx-proto';
import { buildModel, f32 } from '../support/build.ts';
import { compressEach, folder } from '../support/cli.ts';
import { npzOf } from '../support/npz.ts';
import { randomFloats } from '../support/random.ts';
import { compress } from '../support/resident.ts';

const cwd = folder();

/** Two layers in a file that states open lengths as −1. */
writeFileSync(
  join(cwd, 'm.onnx'),
  buildModel({
    opset: 17,
    inputs: { x: f32([-1, 10]) },
    outputs: { y: f32([-1, 4]) },
    nodes: [
      { op: 'Gemm', in: ['x', 'w1', 'b1'], out: ['h'], name: 'one' },
      { op: 'Relu', in: ['h'], out: ['r'] },
      { op: 'Gemm', in: ['r', 'w2', 'b2'], out: ['y'], name: 'two' },
    ],
    initializers: {
      w1: f32([10, 32], randomFloats([10, 32], 1)),
      b1: f32([32], randomFloats([32], 2)),
      w2: f32([32, 4], randomFloats([32, 4], 3)),
      b2: f32([4], randomFloats([4], 4)),
    },
    valueInfo: { h: f32([-1, 32]) },
  }),
);
writeFileSync(join(cwd, 'd.npz'), npzOf({ x: { dims: [24, 10], data: randomFloats([24, 10], 5) } }));
const set = join(cwd, 'data/test_data_set_0');
mkdirSync(set, { recursive: true });
writeFileSync(
  join(set, 'input_0.pb'),
  onnxProto.onnx.TensorProto.encode({
    name: 'x',
    dims: [3, 10],
    dataType: 1,
    floatData: [...randomFloats([3, 10], 6)],
  }).finish(),
);

test('verbs that run a model treat a negative dim as open: for data with any number of rows, and for random inputs', () => {
  const to = ['-o', 'o.onnx', '-f', '-q', 'm.onnx'];
  const lines = [
    ['quantize', '--calibrate', 'd.npz', ...to],
    ['quantize', '--calibrate', 'd.npz', '--batch', '5', ...to],
    ['quantize', '--calibrate', 'random', ...to],
    ['quantize', '--calibrate', 'data', ...to],
    ['prune', '--wanda', '0.5', '--calibrate', 'd.npz', ...to],
    ['prune', '--sparsegpt', '0.5', '--calibrate', 'data', ...to],
    ['prune', '--channels', '0.25', '--calibrate', 'd.npz', '--reconstruct', ...to],
    ['prune', '--channels', '0.25', ...to],
    ['tune', '--data', 'd.npz', '--min-sqnr', '10', '-q', 'm.onnx'],
    ['verify', 'm.onnx', 'm.onnx', '--data', 'data', '-q'],
    ['verify', 'm.onnx', 'm.onnx', '-q'],
  ];
  for (const { code, stderr, line } of compressEach(lines, { cwd })) {
    expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' });
  }
  const bench = compress(['bench', 'm.onnx', '--batch', '2', '--runs', '1', '--warmup', '0', '-q'], { cwd });
  expect(bench).toMatchObject({ code: 0, stderr: '' });
});

test('the report gives the true number of samples, and data that does not fit the model is refused', () => {
  const done = compress(['quantize', '--calibrate', 'd.npz', '-o', 'o.onnx', '-f', 'm.onnx'], { cwd });
  expect(done.stderr).toContain('calibrated with d.npz: 24 samples');
  writeFileSync(join(cwd, 'wide.npz'), npzOf({ x: { dims: [24, 11], data: randomFloats([24, 11], 5) } }));
  const wide = compress(['quantize', '--calibrate', 'wide.npz', '-o', 'o.onnx', '-f', 'm.onnx'], { cwd });
  expect(wide).toMatchObject({ code: 1 });
  expect(wide.stderr).toContain("input 'x': has 11 on axis 1; the model expects 10");
});
