import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readModel, sparsity } from '../../src/index.node.ts';
import { compressEach, copyOf, fixture, folder, shell } from '../support/cli.ts';
import { readNpz } from '../support/npz.ts';
import { runModel } from '../support/ort.ts';
import { compress } from '../support/resident.ts';
import { safetensorsOf } from '../support/safetensors.ts';

const MLP = fixture('digits-mlp.onnx');
const SCORES = fixture('reference/prune-scores.npz');
const MASKS = fixture('reference/prune-masks.npz');

/** A weight of a written model, and its zeros. */
async function written(path: string, weight: string) {
  const model = await readModel(path);
  try {
    return (await sparsity(model)).find((one) => one.weight === weight);
  } finally {
    await model.close();
  }
}

describe('every method writes what it reports', () => {
  const cwd = folder();
  writeFileSync(join(cwd, 'amounts.json'), '{"fc1.weight": 0.5, "/fc[23]/": 0.25}');
  const CASES: readonly (readonly [string, readonly string[], object, string | undefined])[] = [
    [
      'slices',
      ['--structured', 'l2', '--amount', '0.25'],
      { zeros: 8192, out: { zero: 32 } },
      '32 of 128 slices along axis 0',
    ],
    [
      'slices of inputs',
      ['--structured', 'linf', '--axis', 'in', '--amount', '9'],
      { in: { zero: 9 } },
      '9 of 256 slices along axis 1',
    ],
    [
      'an axis by number',
      ['--structured', 'random', '--axis', '-1', '--amount', '9', '--seed', '4'],
      { in: { zero: 9 } },
      '9 of 256 slices along axis 1',
    ],
    ['groups', ['--nm', '2:4'], { zeros: 16384, nm: { keep: 2, group: 4 } }, '2:4 along axis 1'],
    ['a mask', ['--mask', MASKS], { zeros: 29491 }, undefined],
    ['scores', ['--l1', '0.5', '--scores', SCORES], { zeros: 16384 }, undefined],
    ['scores alone', ['--scores', SCORES, '--amount', '0.5', '--scope', 'global'], { zeros: 17811 }, undefined],
    [
      'groups by scores',
      ['--nm', '1:4', '--scores', SCORES],
      { zeros: 24576, nm: { keep: 1, group: 4 } },
      '1:4 along axis 1',
    ],
    ['amounts by name', ['--amounts', 'amounts.json'], { zeros: 8192 }, undefined],
    ['of what remains', ['--l2', '0.5', '--of', 'remaining'], { zeros: 16384 }, undefined],
  ];
  const results = compressEach(
    CASES.map(([, args], index) => ['prune', ...args, MLP, '-o', `${index}.onnx`, '--json', '-q']),
    { cwd },
  );

  test.each(CASES.map((one, index) => [one[0], index] as const))('%s', async (_, index) => {
    const [, , wanted, form] = CASES[index] as (typeof CASES)[number];
    const result = results[index];
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const [{ changes }] = JSON.parse(result?.stdout.toString() ?? '').passes;
    const change = changes.find((one: { weight: string }) => one.weight === 'fc2.weight');
    const found = await written(join(cwd, `${index}.onnx`), 'fc2.weight');
    expect(found).toMatchObject(wanted);
    expect([change.zeros, change.form]).toEqual([found?.zeros, form]);
    const { input } = await readNpz(fixture('digits-mlp-test.npz'));
    const { logits } = await runModel(join(cwd, `${index}.onnx`), input === undefined ? {} : { input });
    const data = [...((logits?.data ?? []) as Float32Array)];
    expect([data.length, data.every(Number.isFinite)]).toEqual([6000, true]);
  });
});

test('the report names the slices, and the weights that the file does not list', () => {
  const cwd = folder();
  writeFileSync(join(cwd, 'a.json'), '{"fc1.weight": 3, "fc3": 0.5}');
  const model = copyOf('digits-mlp.onnx', cwd);
  const [one] = compressEach([['prune', '--structured', 'l1', '--amounts', 'a.json', model, '-o', 'p.onnx']], { cwd });
  expect(
    one?.stderr.replaceAll(/about \d+ kB/g, 'about N kB'),
  ).toBe(`digits-mlp.onnx → p.onnx: 204 kB → 204 kB, 4.7 % zeros, about N kB with gzip
prune: 4.7 % of 17664 weights in 2 tensors are zero
  weight      operator  shape           zeros  sparsity  pruned
  fc1.weight  Gemm      float32 256×64    192     1.2 %  3 of 256 slices along axis 0
  fc3.weight  Gemm      float32 10×128    640    50.0 %  5 of 10 slices along axis 0
  left 1 weight of Gemm, 131 kB: not in the given file (fc2.weight)
next: zeros alone make a model neither smaller nor faster: onnx-compress quantize stores weights in
  8 bits (about N kB).
`);
});

test('pruning half twice zeroes three quarters, with only the file in between', async () => {
  const cwd = folder();
  const line = 'onnx-compress prune --l1 0.5 --of remaining';
  const done = shell(`${line} -q ${MLP} | ${line} -q > p.onnx`, { cwd });
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect((await written(join(cwd, 'p.onnx'), 'fc2.weight'))?.zeros).toBe(24576);
});

describe('wrong options give an error, and no file', () => {
  const cwd = folder();
  const write = (name: string, content: string | Uint8Array): void => writeFileSync(join(cwd, name), content);
  const tensor = (dtype: string, shape: number[], data: ArrayBufferView) => ({ dtype, shape, data });
  write('turned.safetensors', safetensorsOf({ 'fc3.weight': tensor('U8', [128, 10], new Uint8Array(1280)) }));
  write('none.safetensors', safetensorsOf({ 'fc3.weight': tensor('BOOL', [10, 128], new Uint8Array(1280)) }));
  write(
    'grey.safetensors',
    safetensorsOf({ 'fc3.weight': tensor('F32', [10, 128], new Float32Array(1280).fill(0.5)) }),
  );
  write('other.safetensors', safetensorsOf({ 'fc4.weight': tensor('BOOL', [1], new Uint8Array(1)) }));
  write('text.npz', 'fc1.weight: 0 1 1 0');
  write('bad.json', '{"fc1.weight": "much"}');
  write('twice.json', '{"fc1.weight": 0.5, "fc1.weight": 0.4}');
  write('list.json', '[0.5]');
  write('none.json', '{');
  write('unknown.json', '{"fc9": 0.5}');
  const before = readdirSync(cwd);

  const CASES: readonly (readonly [string, number, string])[] = [
    [
      '--structured l1',
      2,
      '--structured: no amount is given\n  Give the slices to prune: --amount 0.3, or --amount 8.',
    ],
    [
      '--structured l3 --amount 2',
      2,
      '--structured: \'l3\' is not one of "l1", "l2", "linf", "random". Did you mean \'l1\'?\n',
    ],
    [
      '--structured l1 --amount 1.5',
      2,
      '--amount: 1.5 is neither a fraction below 1 nor a whole number\n  Give a percentage (--amount 40%), a fraction (--amount 0.4) or a whole number of slices (--amount 8).',
    ],
    ['--structured l1 --amount 2 --axis rows', 2, "--axis: 'rows' is neither out, in nor a whole number\n"],
    [
      '--structured l1 --amount 2 --scope global',
      2,
      '--scope: slices of different layers cannot be compared\n  Leave out --scope',
    ],
    [
      '--structured random --amount 2 --scores s.npz',
      2,
      '--scores: random pruning uses no scores\n  Leave out one of the two.',
    ],
    [
      '--structured l1 --amount 10 --include fc3',
      2,
      'fc3.weight: all 1280 of its weights would become zero\n  A layer of zeros computes nothing. Reduce the amount, exclude the layer (--exclude), or allow it (--allow-empty).',
    ],
    ['--l1 0.4 --axis 0', 2, '--axis: --l1 does not use it\n  It applies to --structured.'],
    ['--l1 0.4 --amount 0.4', 2, '--amount: --l1 does not use it\n  --l1 takes its amount directly: --l1 0.4.'],
    [
      '--random 0.4 --scores s.npz',
      2,
      '--scores: --random does not use it\n  It applies to --l1, --l2, --structured, --nm.',
    ],
    ['--nm 2:4 --amount 0.4', 2, '--amount: --nm does not use it\n  It applies to --structured.'],
    [
      '--nm 2:4 --l1 0.4',
      2,
      '--l1 and --nm cannot be used together\n  Choose one: --l1 0.4, --l2 0.4, --random 0.4, --structured l1 --amount 0.3, --nm 2:4, --mask masks.npz, --wanda 0.5 --calibrate calib.npz, --sparsegpt 0.5 --calibrate calib.npz or --channels 0.3.',
    ],
    ['--l1 0.4 --seed 3', 2, '--seed: --l1 does not use it\n  It applies to --random, --structured.'],
    [
      '--structured l2 --amount 0.4 --seed 3',
      2,
      '--seed: --structured l2 is not random\n  It applies to --random and --structured random.',
    ],
    [
      '--l1 0.4 --layout torch',
      2,
      '--layout: no file with arrays is given\n  It applies to --scores FILE and --mask FILE.',
    ],
    ['--channels 0.4 --allow-empty', 2, '--allow-empty: --channels does not use it\n'],
    ['--wanda 0.4 --calibrate s.npz --allow-empty', 2, '--allow-empty: --wanda does not use it\n'],
    ['--nm 24', 2, "--nm: '24' is not a pair N:M of whole numbers\n  --nm 2:4 keeps 2 of every 4 weights."],
    ['--nm 4:4', 2, 'nm: 4:4 would prune nothing\n'],
    ['--nm 0:4', 2, 'nm: 0:4 would keep nothing\n'],
    ['--scores s.npz', 2, '--amount: is required\n  Give an amount: --amount 0.4.'],
    ['--l1 0.4 --layout numpy', 2, "--layout: 'numpy' is not one of"],
    ['--mask gone.npz', 1, 'gone.npz: no such file or folder\n'],
    [
      '--mask text.npz',
      1,
      'text.npz: is neither a .npz nor a .safetensors file\n  Save the arrays by name: numpy.savez(file, **arrays) or safetensors.torch.save_file(tensors, file).',
    ],
    [
      '--mask turned.safetensors',
      1,
      "turned.safetensors, array 'fc3.weight': has the shape [128, 10]; fc3.weight is [10, 128]\n",
    ],
    [
      '--mask grey.safetensors',
      1,
      "grey.safetensors, array 'fc3.weight': contains 0.5; a mask has 0 for pruned weights and 1 for the others\n",
    ],
    [
      '--mask other.safetensors',
      1,
      'other.safetensors: has arrays that match no weight: fc4.weight\n  The weights are fc1.weight, fc2.weight, fc3.weight.',
    ],
    ['--mask none.safetensors', 2, 'fc3.weight: all 1280 of its weights would become zero\n'],
    [
      '--amounts bad.json',
      1,
      'bad.json, \'fc1.weight\': "much" is neither a fraction from 0 to 1 nor a whole number\n',
    ],
    ['--amounts twice.json', 1, "twice.json: names 'fc1.weight' twice\n"],
    [
      '--amounts list.json',
      1,
      'list.json: is not an object with amounts by name\n  For example: {"fc1.weight": 0.3, "conv": 0.5}',
    ],
    ['--amounts none.json', 1, 'none.json: is not JSON: '],
    [
      '--amounts unknown.json',
      2,
      'amounts: no weight or node matches fc9\n  The weights are fc1.weight, fc2.weight, fc3.weight.',
    ],
  ];
  const results = compressEach(
    CASES.map(([args]) => ['prune', ...args.replace('s.npz', SCORES).split(' '), MLP, '-o', 'out.onnx']),
    { cwd },
  );

  test.each(CASES.map(([args, code, message], index) => [args, code, message, index] as const))(
    'onnx-compress prune %s',
    (_, code, message, index) => {
      const { stderr, stdout, code: left } = results[index] ?? {};
      expect(stderr).toContain(message);
      expect(stderr).toMatch(/^error: /);
      expect([left, stdout?.toString()]).toEqual([code, '']);
    },
  );

  test('writes no file', () => expect(readdirSync(cwd)).toEqual(before));
});

test('--allow-empty allows a layer of zeros', async () => {
  const cwd = folder();
  const done = compress(['prune', '--l1', '1280', '--include', 'fc3', '--allow-empty', MLP, '-o', 'p.onnx'], { cwd });
  expect(done.code).toBe(0);
  expect((await written(join(cwd, 'p.onnx'), 'fc3.weight'))?.zeros).toBe(1280);
});
