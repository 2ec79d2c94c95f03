import { copyFileSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { compress, fixture, folder, shell } from '../support/cli.ts';
import { sparseModel } from '../support/sparse.ts';

const MLP = fixture('digits-mlp.onnx');

test('prune | quantize makes what two steps with files make, with every way in and out', () => {
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

test('the second command says so when the first one failed, and leaves nothing', () => {
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

test('a pipe that ends too early is told apart from a model that is wrong', () => {
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

test('a folder or nothing as standard input', () => {
  const cwd = folder();
  const done = shell(
    'onnx-compress copy < . > /dev/null; echo $?; onnx-compress copy < /dev/null > /dev/null; echo $?',
    { cwd },
  );
  expect(done.stdout.toString()).toBe('1\n1\n');
  expect(done.stderr).toMatch(/^error: <stdin>: is a folder, not a file\nerror: <stdin>: no data arrived/);
});

test('a reader that stops gets one short line, no stack trace', () => {
  const cwd = folder();
  sparseModel(join(cwd, 'big.onnx'), 40_000_000);
  const line = `onnx-compress copy big.onnx | head -c 100 > /dev/null; echo \${PIPESTATUS[0]}`;
  const done = shell(`${line}; onnx-compress prune --help | head -c 0`, { cwd });
  expect(done.stdout.toString()).toBe('1\n');
  expect(done.stderr).toBe('error: <stdout>: the command that reads the output has stopped\n');
});

test('a file on standard input that is cut while it is a redirect', () => {
  const cwd = folder();
  copyFileSync(MLP, join(cwd, 'cut.onnx'));
  truncateSync(join(cwd, 'cut.onnx'), 150_000);
  const done = shell('onnx-compress copy < cut.onnx > out.bin; echo $?', { cwd });
  expect(done.stdout.toString()).toBe('1\n');
  expect(done.stderr.trimEnd().split('\n')).toHaveLength(2);
});
