import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { removeTemporaries, temporaryFolder } from '../../../src/node/files/temporary.ts';

test('a folder is private to the user, and is removed with its contents', async () => {
  const folder = await temporaryFolder();
  expect((await stat(folder.path)).mode & 0o777).toBe(0o700);
  await writeFile(join(folder.path, 'a'), 'a');
  await folder.remove();
  expect(existsSync(folder.path)).toBe(false);
  await folder.remove();
});

test('remaining folders are removed when the process ends', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder.path, 'a'), 'a');
  expect(process.listeners('exit')).toContain(removeTemporaries);
  removeTemporaries();
  expect(existsSync(folder.path)).toBe(false);
});
