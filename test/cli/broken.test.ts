/** A file that parses but is not a valid model: verbs that rewrite refuse it, and copy copies it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { buildModel, f32, type ModelSpec } from '../support/build.ts';
import { compress, compressEach, folder } from '../support/cli.ts';

const nodes: ModelSpec['nodes'] = [
  { op: 'MatMul', name: 'multiply', in: ['x', 'w'], out: ['m'] },
  { op: 'Add', name: 'add', in: ['m', 'r'], out: ['s'] },
  { op: 'Relu', name: 'relu', in: ['s'], out: ['r'] },
];
const common = {
  opset: 13,
  inputs: { x: f32(['n', 4]) },
  initializers: { w: f32([4, 4], Array(16).fill(0.5)) },
} as const;
const circle = buildModel({ ...common, nodes, outputs: { r: f32() } });
const lost = buildModel({ ...common, nodes: nodes.slice(0, 1), outputs: { m: f32(), gone: f32() } });

const VERBS = [
  ['prune', '--l1', '0.5'],
  ['prune', '--channels', '0.5'],
  ['prune', '--wanda', '0.5', '--calibrate', 'data.json'],
  ['quantize'],
  ['quantize', '--weights-only'],
  ['quantize', '--calibrate', 'random'],
  ['pack'],
  ['fold'],
  ['convert', '--opset', '17'],
  ['run', 'recipe.json'],
];

test('verbs that rewrite refuse it', () => {
  const cwd = folder();
  writeFileSync(join(cwd, 'circle.onnx'), circle);
  writeFileSync(join(cwd, 'lost.onnx'), lost);
  writeFileSync(join(cwd, 'recipe.json'), '{"onnxCompress": 1, "steps": [{"verb": "quantize"}]}');
  writeFileSync(join(cwd, 'data.json'), '{"x": [[1, 2, 3, 4]]}');
  const listing = readdirSync(cwd);
  for (const [file, sentence] of [
    ['circle.onnx', "the nodes depend on each other in a cycle: Relu 'relu' → Add 'add' → Relu 'relu'"],
    ['lost.onnx', "nothing produces the output 'gone'"],
  ] as const) {
    const results = compressEach(
      VERBS.map((verb) => [...verb, file, '-o', 'out.onnx']),
      { cwd },
    );
    for (const { line, stderr, code } of results) {
      const first = stderr.split('\n')[0];
      expect({ line, code, first }).toEqual({ line, code: 1, first: `error: ${file}: ${sentence}` });
    }
  }
  expect(readdirSync(cwd)).toEqual(listing);
});

test('copy copies it byte for byte', () => {
  const cwd = folder();
  writeFileSync(join(cwd, 'circle.onnx'), circle);
  expect(compress(['copy', 'circle.onnx', '-o', 'out.onnx', '-q'], { cwd })).toMatchObject({ code: 0 });
  expect(readFileSync(join(cwd, 'out.onnx'))).toEqual(Buffer.from(circle));
});
