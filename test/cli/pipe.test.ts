import { copyFileSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { compress, fixture, folder, shell } from '../support/cli.ts';
import { sparseModel } from '../support/sparse.ts';

const MLP = fixture('digits-mlp.onnx');

test('prune | quantize gives the same as two steps with files, for every kind of input and output', () => {
  const cwd = folder();
  const done = shell(
    `set -e -o pipefail
    onnx-compress prune --l1 0.4 -q ${MLP} -o pruned.onnx
    onnx-compress quantize --int8 -q pruned.onnx -o steps.onnx
    onnx-compress prune --l1 0.4 -q ${MLP} | onnx-compress quantize --int8 -q > pipe.onnx
    cat ${MLP} | onnx-compress prune --l1 0.4 -q - -o - | onnx-compress quantize --int8 -q - -o dash.onnx
    onnx-compress prune --l1 0.4 -q < ${MLP} > redirected.onnx`,
    { cwd },
  );
  expect(done).toMatchObject({ code: 0, stderr: '' });
  const bytes = (name: string) => readFileSync(join(cwd, name));
  expect(bytes('pipe.onnx')).toEqual(bytes('steps.onnx'));
  expect(bytes('dash.onnx')).toEqual(bytes('steps.onnx'));
  expect(bytes('redirected.onnx')).toEqual(bytes('pruned.onnx'));
  expect(readdirSync(cwd)).toHaveLength(5);
});

test('stdout carries the model and nothing else', () => {
  const done = compress(['copy', MLP]);
  expect(done.code).toBe(0);
  expect(done.stdout).toEqual(readFileSync(MLP));
  expect(done.stderr).toContain('<stdout>: 204 kB → 204 kB, the same size');
});

test('if the first command fails, the second says so and leaves no file', () => {
  const cwd = folder();
  const done = shell(
    `onnx-compress prune --l1 0.4 missing.onnx | onnx-compress quantize --int8 -o out.onnx; echo \${PIPESTATUS[@]}`,
    {
      cwd,
    },
  );
  expect(done.stdout.toString()).toBe('1 1\n');
  expect(done.stderr).toContain('error: missing.onnx: no such file or folder\n');
  expect(done.stderr).toContain(
    'error: <stdin>: no data arrived; a model was expected\n  Did the previous command in the pipe fail?\n',
  );
  expect(readdirSync(cwd)).toEqual([]);
});

test('a pipe that ends early gives another error than an invalid model', () => {
  const cwd = folder();
  const half = readFileSync(MLP).subarray(0, 100_000);
  const done = compress(['quantize', '--int8', '-o', 'out.onnx'], { cwd, input: half });
  expect(done.code).toBe(1);
  expect(done.stderr).toMatch(
    /^error: <stdin>.*\n {2}The model is incomplete: did the previous command in the pipe fail\?\n$/,
  );
  expect(readdirSync(cwd)).toEqual([]);
  const text = compress(['copy', '-o', 'out.onnx'], { cwd, input: Buffer.from('<html>404 Not Found</html>\n') });
  expect(text.code).toBe(1);
  expect(text.stderr).toMatch(/^error: <stdin>.*\n( {2}.*\n)?$/);
  expect(text.stderr).not.toContain('before the pipe');
  expect(readdirSync(cwd)).toEqual([]);
});

test('refuses a folder or nothing as standard input', () => {
  const cwd = folder();
  const done = shell(
    'onnx-compress copy < . > /dev/null; echo $?; onnx-compress copy < /dev/null > /dev/null; echo $?',
    { cwd },
  );
  expect(done.stdout.toString()).toBe('1\n1\n');
  expect(done.stderr).toMatch(/^error: <stdin>: is a folder, not a file\nerror: <stdin>: no data arrived/);
});

test('prints one short line and no stack trace if the reader stops', () => {
  const cwd = folder();
  sparseModel(join(cwd, 'big.onnx'), 40_000_000);
  const line = `onnx-compress copy big.onnx | head -c 100 > /dev/null; echo \${PIPESTATUS[0]}`;
  const done = shell(`${line}; onnx-compress prune --help | head -c 0`, { cwd });
  expect(done.stdout.toString()).toBe('1\n');
  expect(done.stderr).toBe('error: <stdout>: the command that reads the output has stopped\n');
});

test('refuses a redirected file that is truncated while it is read', () => {
  const cwd = folder();
  copyFileSync(MLP, join(cwd, 'cut.onnx'));
  truncateSync(join(cwd, 'cut.onnx'), 150_000);
  const done = shell('onnx-compress copy < cut.onnx > out.bin; echo $?', { cwd });
  expect(done.stdout.toString()).toBe('1\n');
  expect(done.stderr.trimEnd().split('\n')).toHaveLength(2);
});
