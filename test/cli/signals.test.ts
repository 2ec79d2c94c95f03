import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { BIN, environment, fixture, folder } from '../support/cli.ts';
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
  // As soon as the temporary file has a first part of the model, so that the run is in the middle of writing. A copy
  // replaces the file that was created first.
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
  // More than is kept in memory, so that the thread that waits for the rest has started; the pipe stays open.
  await new Promise((resolve) => child.stdin.write(Buffer.alloc(6 << 20), resolve));
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.kill(signal);
  expect(await ended).toBe(code);
  expect(readdirSync(cwd)).toEqual([]);
});

/** Makes standard error look like a terminal. */
const TERMINAL = `data:text/javascript,${encodeURIComponent(
  'Object.defineProperties(process.stderr, { isTTY: { value: true }, columns: { value: 60 } });',
)}`;

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s under a bar takes it away and leaves the terminal as it was', async (signal, code) => {
  const cwd = folder();
  const args = [
    'quantize',
    '--calibrate',
    'random',
    '--samples',
    '2000000',
    fixture('digits-cnn.onnx'),
    '-o',
    'out.onnx',
  ];
  const child = spawn(process.execPath, ['--import', TERMINAL, BIN, ...args], {
    cwd,
    env: environment({ TERM: 'xterm' }),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<number>((resolve) =>
    child.on('close', (status, by) => resolve(status ?? 128 + (by === null ? 0 : constants.signals[by]))),
  );
  let seen = '';
  child.stderr.on('data', (chunk) => {
    if (!seen.includes('calibrating') && String(chunk).includes('calibrating')) child.kill(signal);
    seen += String(chunk);
  });
  expect(await ended).toBe(code);
  expect(seen).toContain('calibrating');
  // No terminal mode was switched, and the last line is empty.
  expect(seen).not.toContain('\x1b[?');
  expect(seen.endsWith('\x1b[2K')).toBe(true);
  expect(readdirSync(cwd)).toEqual([]);
});

/** Makes each reading of the clock a second later than the previous one, so that any work is long enough for a bar. */
const HURRIED = `data:text/javascript,${encodeURIComponent('let now = 0; performance.now = () => (now += 1000);')}`;

test('removes the bar before it prints an error', () => {
  const line = [
    'quantize',
    '--calibrate',
    'random',
    '--samples',
    '1000',
    fixture('digits-cnn.onnx'),
    '-o',
    '/dev/full',
  ];
  const done = spawnSync(process.execPath, ['--import', TERMINAL, '--import', HURRIED, BIN, ...line], {
    env: environment({ TERM: 'xterm', NO_COLOR: '1' }),
    encoding: 'utf8',
  });
  expect(done.status).toBe(1);
  expect(done.stderr).not.toContain('\x1b[?');
  const [bar = '', error] = done.stderr.split('error: ');
  expect(bar).toContain('calibrating');
  expect(bar.endsWith('\x1b[2K')).toBe(true);
  expect(error).toContain('no space left on the disk');
});
