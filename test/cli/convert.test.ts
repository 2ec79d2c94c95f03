import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readModel } from '../../src/index.node.ts';
import { buildModel, f32, i64 } from '../support/build.ts';
import { compressEach, copyOf, fixture, folder } from '../support/cli.ts';

const OLD = fixture('edge/opset9.onnx');

test('convert reports what it rewrote; a refused conversion leaves no file', async () => {
  const cwd = folder();
  const made = [
    ['convert', '--opset', '21', copyOf('edge/opset9.onnx', cwd), '-o', 'raised.onnx'],
    ['convert', '--opset', '21', 'raised.onnx', '-o', 'again.onnx'],
    ['convert', '--opset', '20', 'raised.onnx', '-o', 'lower.onnx'],
    ['convert', OLD, '-o', 'none.onnx'],
    ['convert', '--opset', '27', OLD, '-o', 'none.onnx'],
    ['convert', '--opset', 'new', OLD, '-o', 'none.onnx'],
  ];
  const [raised, again, lower, missing, unknown, word] = compressEach(made, { cwd });
  expect([raised?.code, raised?.stderr]).toEqual([
    0,
    `opset9.onnx → raised.onnx: 22.1 kB → 22.1 kB, the same size
convert:
  opset raised from 9 to 21; rewritten: 1 Dropout
  IR version raised from 4 to 10
`,
  ]);
  const model = await readModel(join(cwd, 'raised.onnx'));
  expect([model.opset, model.irVersion]).toEqual([21, 10]);
  await model.close();
  expect([again?.code, again?.stderr]).toEqual([0, expect.stringContaining('the model already has opset 21')]);
  expect(readFileSync(join(cwd, 'again.onnx')).equals(readFileSync(join(cwd, 'raised.onnx')))).toBe(true);
  expect([lower?.code, lower?.stderr]).toEqual([
    1,
    'error: raised.onnx: the model has opset 21, which can be raised but not lowered\n  Export it again for opset 20.\n',
  ]);
  expect([missing?.code, missing?.stderr]).toEqual([2, expect.stringContaining('--opset: is required')]);
  expect([unknown?.code, unknown?.stderr]).toEqual([2, expect.stringContaining('27 is not an opset from 7 to 26')]);
  expect(word?.code).toBe(2);
  expect(readdirSync(cwd).sort()).toEqual(['again.onnx', 'opset9.onnx', 'raised.onnx']);
});

test('an operator without an adapter is refused by name', () => {
  const cwd = folder();
  const nodes = [
    { op: 'GroupNormalization', name: 'gn', in: ['x', 's', 'b'], out: ['y'], attributes: { num_groups: 2 } },
  ];
  const two = f32([2], [1, 2]);
  const spec = {
    opset: 18,
    inputs: { x: f32([1, 4, 2]) },
    outputs: { y: f32() },
    nodes,
    initializers: { s: two, b: two },
  };
  const [one] = compressEach([['convert', '--opset', '21', '-', '-o', 'out.onnx']], { cwd, input: buildModel(spec) });
  expect([one?.code, one?.stderr]).toEqual([
    1,
    "error: <stdin>: opset 18 cannot be raised to 21: GroupNormalization 'gn' cannot be converted to opset 21: its scale and bias are per group, and opset 21 requires them per channel\n",
  ]);
  expect(readdirSync(cwd)).toEqual([]);
});

test('an opset for which ONNX Runtime has no kernel is refused with a hint, also from a recipe', async () => {
  const cwd = folder();
  const spec = {
    opset: 16,
    inputs: { x: f32([1, 2, 8, 8]) },
    outputs: { y: f32() },
    nodes: [{ op: 'RoiAlign', in: ['x', 'r', 'i'], out: ['y'] }],
    initializers: { r: f32([1, 4], [0, 0, 3, 3]), i: i64([1], [0]) },
  };
  writeFileSync(join(cwd, 'roi.onnx'), buildModel(spec));
  const recipe = { onnxCompress: 1, steps: [{ verb: 'convert', opset: 22, forceOpset: true }] };
  writeFileSync(join(cwd, 'recipe.json'), JSON.stringify(recipe));
  const [refused, forced, replayed] = compressEach(
    [
      ['convert', '--opset', '22', 'roi.onnx', '-o', 'none.onnx'],
      ['convert', '--opset', '22', '--force-opset', 'roi.onnx', '-o', 'forced.onnx'],
      ['run', 'recipe.json', 'roi.onnx', '-o', 'replayed.onnx'],
    ],
    { cwd },
  );
  const fact = 'ONNX Runtime 1.30.0 has no kernel at opset 22 for 1 RoiAlign';
  expect([refused?.code, refused?.stderr]).toEqual([
    1,
    `error: roi.onnx: opset 16 cannot be raised to 22: ${fact}
  --opset 21 is the highest it can run. --force-opset writes opset 22 anyway.
`,
  ]);
  expect([forced?.code, forced?.stderr]).toEqual([0, expect.stringContaining(`  ${fact}\n`)]);
  expect([replayed?.code, replayed?.stderr]).toEqual([0, expect.stringContaining(`${fact}\n`)]);
  for (const name of ['forced.onnx', 'replayed.onnx']) {
    const model = await readModel(join(cwd, name));
    expect(model.opset).toBe(22);
    await model.close();
  }
  expect(readdirSync(cwd)).not.toContain('none.onnx');
});
