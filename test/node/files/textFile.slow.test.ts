import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readTextFile } from '../../../src/node/files/textFile.ts';

let folder: string;
let fifo: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'text-'));
  fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
});
afterEach(() => rm(folder, { recursive: true }));

test('reads a file, of a long one only one piece beyond the limit', async () => {
  const path = join(folder, 'file');
  await writeFile(path, 'äöü');
  expect(await readTextFile(path, 100)).toBe('äöü');
  await writeFile(path, 'x'.repeat(300_000));
  expect(await readTextFile(path, 300_000)).toHaveLength(300_000);
  expect((await readTextFile(path, 10)).length).toBeLessThan(100_000);
  expect((await readTextFile('/dev/zero', 10)).length).toBeLessThan(100_000);
});

test('a file that cannot be read gives an error with its name', async () => {
  await expect(readTextFile(join(folder, 'none'), 10)).rejects.toThrow('none: no such file or folder');
  await expect(readTextFile(folder, 10)).rejects.toThrow('is a folder, not a file');
});

/** Runs a line of bash in the background. */
function write(line: string): Promise<unknown> {
  return once(spawn('bash', ['-c', line], { stdio: 'ignore' }), 'exit');
}

test('a pipe is read to its end, however slowly it is written', async () => {
  for (const line of ['echo one', 'sleep 0.3; echo one', '{ sleep 0.3; printf on; sleep 0.3; echo e; }']) {
    const written = write(`${line} > "${fifo}"`);
    expect(await readTextFile(fifo, 100)).toBe('one\n');
    await written;
  }
});

test('an open pipe is waited for, even if nothing arrives for long', async () => {
  const written = write(`{ sleep 3; echo late; } > "${fifo}"`);
  expect(await readTextFile(fifo, 100)).toBe('late\n');
  await written;
});

test('a pipe without a writer is refused', async () => {
  await expect(readTextFile(fifo, 100)).rejects.toMatchObject({
    code: 'io',
    message: `${fifo}: is a pipe that no program writes to`,
  });
});
