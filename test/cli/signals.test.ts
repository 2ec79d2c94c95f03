import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { BIN, environment, folder } from '../support/cli.ts';
import { sparseModel } from '../support/sparse.ts';

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s while a model is written leaves no file and exits %i', async (signal, code) => {
  const cwd = folder();
  sparseModel(join(cwd, 'big.onnx'), 300_000_000);
  const before = statSync(join(cwd, 'big.onnx'));
  const child = spawn(process.execPath, [BIN, 'copy', 'big.onnx', '-o', 'out.onnx'], {
    cwd,
    env: environment(),
    stdio: 'ignore',
  });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  let over = false;
  child.on('exit', () => {
    over = true;
  });
  // As soon as the temporary file has a first part of the model, so that the run is in the middle of it.
  while (!over && !readdirSync(cwd).some((name) => name.endsWith('.tmp') && statSync(join(cwd, name)).size > 0)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  child.kill(signal);
  expect(await ended).toBe(code);
  expect(readdirSync(cwd)).toEqual(['big.onnx']);
  const after = statSync(join(cwd, 'big.onnx'));
  expect([after.size, after.mtimeMs, after.ino]).toEqual([before.size, before.mtimeMs, before.ino]);
});
