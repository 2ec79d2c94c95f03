import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { fixture, folder, shell } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

const MLP = fixture('digits-mlp.onnx');
const DATA = fixture('digits-mlp-calib.npz');

test('prune --sparsegpt --calibrate reports its work, and writes a model that runs', () => {
  const cwd = folder();
  const one = compress(['prune', '--sparsegpt', '0.8', '--calibrate', DATA, MLP, '-o', 'a.onnx'], { cwd });
  expect(one.stderr).toContain('prune: 80.0 % of 50432 weights in 3 tensors are zero\n');
  expect(one.stderr).toContain(
    '  SparseGPT with digits-mlp-calib.npz: 256 samples, each layer after those before it\n',
  );
  expect(one.code).toBe(0);
  expect(readdirSync(cwd)).toEqual(['a.onnx']);
  const gates = ['--data', fixture('digits-mlp-test.npz'), '--min-top1', '0.95'];
  expect(compress(['verify', MLP, 'a.onnx', ...gates], { cwd })).toMatchObject({ code: 0 });
  // The same from a pipe, then again on the result.
  shell(`cat ${MLP} | onnx-compress prune --sparsegpt 0.8 --calibrate ${DATA} > b.onnx`, { cwd });
  const again = compress(['prune', '--sparsegpt', '0.8', '--calibrate', DATA, 'a.onnx', '-o', 'c.onnx'], { cwd });
  expect(again.code).toBe(0);
  const bytes = readFileSync(join(cwd, 'a.onnx'));
  for (const name of ['b.onnx', 'c.onnx']) expect(readFileSync(join(cwd, name)).equals(bytes)).toBe(true);
});

test('prune --wanda prunes round(A · K) weights of each row, judging all layers on the unpruned model', () => {
  const args = ['--calibrate', DATA, '--samples', '64', '--batch', '16', '--parallel-layers', '--dry-run', '--json'];
  const one = compress(['prune', '--wanda', '0.8', ...args, MLP]);
  expect(one.code).toBe(0);
  const [report] = JSON.parse(one.stdout.toString()).passes;
  // 51 of 64, 205 of 256, 102 of 128.
  expect(report.changes.map((change: { zeros: number }) => change.zeros)).toEqual([256 * 51, 128 * 205, 10 * 102]);
  // 64 vectors for the 256 inputs of the second layer and the 128 of the third.
  expect(report.notes).toEqual([
    expect.stringMatching(/^warning: '.*' received 64 data vectors, fewer than its 256 inputs, and 1 more of 3 layers/),
    'Wanda with digits-mlp-calib.npz: 64 samples, all layers on the unpruned model',
  ]);
});

test.each(['wanda', 'sparsegpt'])('prune --%s --nm 2:4', (method) => {
  const one = compress(['prune', `--${method}`, '0.5', '--nm', '2:4', '--calibrate', DATA, '--json', '-n', MLP]);
  expect(one.code).toBe(0);
  const [report] = JSON.parse(one.stdout.toString()).passes;
  const [first, second, last] = report.changes.map((change: { zeros: number }) => change.zeros);
  expect([first, second]).toEqual([256 * 32, 128 * 128]);
  // Some units of the previous layer never fire: SparseGPT zeroes all of their weights.
  if (method === 'wanda') expect(last).toBe(10 * 64);
  else expect(last).toBeGreaterThan(10 * 64);
});

const BOTH = ['--calibrate', DATA];

test.each([
  [['--wanda', '0.5'], 2, /--wanda: needs data, because it uses activations\n.*--calibrate calib\.npz/],
  [['--sparsegpt', '0.5'], 2, /--sparsegpt: needs data/],
  [['--calibrate', DATA], 2, /prune: a method is required\n.*--sparsegpt 0\.5 --calibrate calib\.npz/],
  [['--l1', '0.5', ...BOTH], 2, /--calibrate: --l1 does not use it\n.*--wanda, --sparsegpt/],
  [['--l1', '0.5', '--damping', '0.1'], 2, /--damping: --l1 does not use it\n.*applies to --sparsegpt/],
  [['--l1', '0.5', '--wanda', '0.5', ...BOTH], 2, /--l1 and --wanda cannot be used together/],
  [['--wanda', '0.5', '--sparsegpt', '0.5', ...BOTH], 2, /--wanda and --sparsegpt cannot be used together/],
  [['--wanda', '5000', ...BOTH], 2, /--wanda: '5000' is not a fraction between 0 and 1\n.*fraction of weights/],
  [['--wanda', 'half', ...BOTH], 2, /--wanda: 'half' is not a fraction between 0 and 1/],
  [['--wanda', '0.5', '--damping', '0.1', ...BOTH], 2, /--damping: --wanda does not use it/],
  [['--wanda', '0.5', '--block-size', '64', ...BOTH], 2, /--block-size: --wanda does not use it/],
  [['--sparsegpt', '0.5', '--damping', 'much', ...BOTH], 2, /--damping: 'much' is not a number from 0 to 1/],
  [['--sparsegpt', '0.5', '--block-size', '0', ...BOTH], 2, /--block-size: it must be at least 1/],
  [['--sparsegpt', '0.5', '--samples', '0', ...BOTH], 2, /--samples: it must be at least 1/],
  [['--sparsegpt', '0.6', '--nm', '2:4', ...BOTH], 2, /--sparsegpt: is 0\.6, and --nm 2:4 prunes 0\.5\n/],
  [['--sparsegpt', '0.5', '--nm', '4:2', ...BOTH], 2, /--nm: '4:2' is not a pattern N:M/],
  [['--sparsegpt', '0.5', '--nm', 'some', ...BOTH], 2, /--nm: 'some' is not a pair N:M/],
  [['--sparsegpt', '0.5', '--nm', '4:8', '--block-size', '4', ...BOTH], 2, /4 is less than a group of 8/],
  [['--wanda', '0.5', '--scope', 'global', ...BOTH], 2, /--scope: --wanda does not use it/],
  [['--wanda', '0.5', '--calibrate', 'random'], 2, /--calibrate: random inputs do not show which weights matter/],
  [['--wanda', '0.5', '--calibrate', 'none.npz'], 1, /none\.npz: no such file/],
  [
    ['--wanda', '0.5', '--calibrate', fixture('digits-cnn-calib.npz')],
    1,
    /digits-cnn-calib\.npz, input 'input': has the shape \[256, 1, 8, 8\]/,
  ],
])('prune %j is refused', (options, code, message) => {
  const cwd = folder();
  const one = compress(['prune', ...options, MLP, '-o', 'a.onnx'], { cwd });
  expect(one.stderr).toMatch(message);
  expect(one.code).toBe(code);
  expect(readdirSync(cwd)).toEqual([]);
});

test('a model without weights to prune is an error unless allowed', () => {
  const args = ['prune', '--wanda', '0.5', '--calibrate', DATA, '--exclude', 'weight', '-n', MLP];
  expect(compress(args).code).toBe(1);
  const allowed = compress([...args, '--allow-unchanged']);
  expect([allowed.code, allowed.stderr]).toEqual([
    0,
    expect.stringContaining('left 3 weights of Gemm, 202 kB: excluded by '),
  ]);
});
