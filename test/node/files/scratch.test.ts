import { existsSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { scratchFile } from '../../../src/node/files/scratch.ts';
import { temporaries } from '../../../src/node/files/temporary.ts';

test('stored bytes can be read in any order until the file is closed', async () => {
  const scratch = scratchFile();
  expect(temporaries.size).toBe(0);
  const [one, two, three] = [Uint8Array.of(1, 2, 3), new Uint8Array(0), new Uint8Array(300_000).fill(7)];
  const reads = await Promise.all([one, two, three].map((bytes) => scratch.keep(bytes)));
  const [folder = ''] = temporaries;
  expect(existsSync(folder)).toBe(true);
  expect(await reads[2]?.()).toEqual(three);
  expect(await reads[0]?.()).toEqual(one);
  expect(await reads[1]?.()).toEqual(two);
  expect(await reads[0]?.()).toEqual(one);
  await scratch.close();
  expect(existsSync(folder)).toBe(false);
  await expect(reads[0]?.()).rejects.toMatchObject({ code: 'io' });
});

test('a file without content is never created', async () => {
  await scratchFile().close();
  expect(temporaries.size).toBe(0);
});
