/** The commands of the README that are fenced as `sh test` run as they stand. */
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { folder, ROOT, shell } from '../support/cli.ts';

const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
const blocks = [...text.matchAll(/^```sh test\n([\s\S]*?)^```$/gm)].map((found) => found[1] ?? '');

test('there is something to run', () => {
  expect(blocks.length).toBeGreaterThan(0);
  expect(blocks.join('')).toContain('compress ');
});

describe.each(blocks.map((block, index) => [index + 1, block] as const))('block %i', (_, block) => {
  const cwd = folder();
  symlinkSync(join(ROOT, 'fixtures'), join(cwd, 'fixtures'));

  test.each(block.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#')))('%s', (line) => {
    const done = shell(`set -e -o pipefail; ${line}`, { cwd });
    expect(done.stderr).not.toMatch(/^error:/m);
    expect(done.code).toBe(0);
  });
});
