import { PassThrough } from 'node:stream';
import { beforeAll, expect, test } from '@jest/globals';
import { endProgress, progress } from '../../src/cli/progress.ts';

function terminal(isTTY: boolean): { stream: NodeJS.WriteStream; seen: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80, clearLine() {}, cursorTo() {} });
  let seen = '';
  stream.on('data', (chunk) => (seen += String(chunk)));
  return { stream: stream as unknown as NodeJS.WriteStream, seen: () => seen };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

beforeAll(() => {
  process.env['TERM'] = 'xterm';
});

test('keeps the settings of the terminal, and no line is wider than it', async () => {
  const { stream, seen } = terminal(true);
  stream.columns = 30;
  const show = progress('calibrating', false, { stream });
  for (let tries = 0; !seen().includes('calibrating') && tries < 100; tries++) {
    show(2, 5);
    await pause(30);
  }
  show(5, 5);
  await pause(30);
  // No terminal mode is switched on or off.
  expect(seen()).not.toContain('\x1b[?');
  const lines = seen().split('\x1b');
  expect(Math.max(...lines.map((one) => one.length))).toBeLessThanOrEqual(30 + '[0K'.length);
});

test('shows nothing on a terminal that cannot return to the start of a line', async () => {
  process.env['TERM'] = 'dumb';
  const { stream, seen } = terminal(true);
  const show = progress('calibrating', false, { stream });
  process.env['TERM'] = 'xterm';
  show(1, 3);
  await pause(600);
  for (const done of [2, 3]) show(done, 3);
  await pause(50);
  expect(seen()).toBe('');
});

test('shows progress on a terminal', async () => {
  const { stream, seen } = terminal(true);
  const show = progress('calibrating', false, { stream });
  show(1, undefined);
  for (let tries = 0; !seen().includes('2/5') && tries < 100; tries++) {
    show(2, 5);
    await pause(30);
  }
  show(5, 5);
  await pause(30);
  expect(seen()).toContain('calibrating');
  expect(seen()).toContain('2/5');
});

test('shows the bar of the task that continues when two tasks alternate', async () => {
  const { stream, seen } = terminal(true);
  const shows = [progress('calibrating', false, { stream }), progress('quantizing', false, { stream })] as const;
  for (const [index, what] of ['calibrating', 'quantizing'].entries()) {
    for (let tries = 0; !seen().includes(what) && tries < 100; tries++) {
      shows[index as 0 | 1](1, 9);
      await pause(30);
    }
  }
  shows[0](4, 9);
  await pause(200);
  expect(seen().slice(seen().lastIndexOf('quantizing'))).toContain('4/9');
  shows[0](9, 9);
  shows[1](9, 9);
  const end = seen().length;
  await pause(200);
  expect(seen()).toHaveLength(end);
});

test.each([
  ['a pipe', false, false],
  ['--quiet', true, true],
])('shows nothing: %s', async (_, isTTY, quiet) => {
  const { stream, seen } = terminal(isTTY);
  const show = progress('calibrating', quiet, { stream });
  show(1, 3);
  await pause(600);
  for (const done of [1, 2, 3]) show(done, 3);
  await pause(50);
  expect(seen()).toBe('');
});

test('shows nothing for less than half a second of work', async () => {
  const { stream, seen } = terminal(true);
  const show = progress('writing', false, { stream });
  for (const done of [1, 2, 3]) show(done, 3);
  await pause(600);
  expect(seen()).toBe('');
});

test('shows bytes as sizes, and removes the bar before other output', async () => {
  const { stream, seen } = terminal(true);
  const show = progress('writing', false, { unit: 'bytes', stream });
  for (let tries = 0; !seen().includes('512 MB/1.02 GB') && tries < 100; tries++) {
    show(512_000_000, 1_024_000_000);
    await pause(30);
  }
  expect(seen()).toContain('512 MB/1.02 GB');
  endProgress();
  const before = seen();
  await pause(300);
  expect(seen()).toBe(before);
});

test('a bar that is still loading at the end does not appear, and does not keep the process alive', async () => {
  const { stream, seen } = terminal(true);
  const show = progress('calibrating', false, { stream });
  await pause(600);
  show(2, 5);
  endProgress();
  await pause(600);
  expect(seen()).toBe('');
});
