import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { BIN, environment, folder } from '../support/cli.ts';
import { sparseModel } from '../support/sparse.ts';

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s while a model is written leaves no file and ends as %i for a shell', async (signal, code) => {
  const cwd = folder();
  sparseModel(join(cwd, 'big.onnx'), 300_000_000);
  const before = statSync(join(cwd, 'big.onnx'));
  const child = spawn(process.execPath, [BIN, 'copy', 'big.onnx', '-o', 'out.onnx'], {
    cwd,
    env: environment(),
    stdio: 'ignore',
  });
  const ended = new Promise<number>((resolve) =>
    child.on('exit', (status, by) => resolve(status ?? 128 + (by === null ? 0 : constants.signals[by]))),
  );
  let over = false;
  child.on('exit', () => {
    over = true;
  });
  // As soon as the temporary file has a first part of the model, so that the run is in the middle of it. A copy takes the
  // place of the file that was there first.
  const size = (name: string): number => statSync(join(cwd, name), { throwIfNoEntry: false })?.size ?? 0;
  while (!over && !readdirSync(cwd).some((name) => name.endsWith('.tmp') && size(name) > 0)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  child.kill(signal);
  expect(await ended).toBe(code);
  expect(readdirSync(cwd)).toEqual(['big.onnx']);
  const after = statSync(join(cwd, 'big.onnx'));
  expect([after.size, after.mtimeMs, after.ino]).toEqual([before.size, before.mtimeMs, before.ino]);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s while a pipe is waited for ends at once', async (signal, code) => {
  const cwd = folder();
  const child = spawn(process.execPath, [BIN, 'quantize', '-o', 'out.onnx'], {
    cwd,
    env: environment(),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const ended = new Promise<number>((resolve) =>
    child.on('exit', (status, by) => resolve(status ?? 128 + (by === null ? 0 : constants.signals[by]))),
  );
  // More than stays in memory, so that the thread that waits for the rest has begun; the pipe stays open.
  await new Promise((resolve) => child.stdin.write(Buffer.alloc(6 << 20), resolve));
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.kill(signal);
  expect(await ended).toBe(code);
  expect(readdirSync(cwd)).toEqual([]);
});
