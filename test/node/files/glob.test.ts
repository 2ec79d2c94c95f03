import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expand, isPattern } from '../../../src/node/files/glob.ts';

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'compress-test-'));
  for (const path of [
    'a.onnx',
    'b.onnx',
    'b+.onnx',
    'c.txt',
    '.hidden.onnx',
    'x/a.onnx',
    'x/y/d.onnx',
    '.git/e.onnx',
  ]) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), '');
  }
  symlinkSync('..', join(home, 'x/up'));
});
afterAll(() => rmSync(home, { recursive: true }));

// As in bash with globstar.
test.each([
  ['*.onnx', ['a.onnx', 'b+.onnx', 'b.onnx']],
  ['?.onnx', ['a.onnx', 'b.onnx']],
  ['[!a].onnx', ['b.onnx']],
  ['[a-b].*', ['a.onnx', 'b.onnx']],
  ['[b-a].*', []],
  ['b+.*', ['b+.onnx']],
  ['.*.onnx', ['.hidden.onnx']],
  ['{a,c}.{onnx,txt}', ['a.onnx', 'c.txt']],
  ['*/a.onnx', ['x/a.onnx']],
  ['**/*.onnx', ['a.onnx', 'b+.onnx', 'b.onnx', 'x/a.onnx', 'x/y/d.onnx']],
  ['x/**/d.onnx', ['x/y/d.onnx']],
  ['c.txt/*', []],
  ['none/*.onnx', []],
])('%s', async (pattern, expected) => {
  const found = await expand(join(home, pattern));
  expect(found.map((path) => path.slice(home.length + 1))).toEqual(expected);
});

test('a path without special characters is not a pattern', () => {
  expect(['m.onnx', 'a b.onnx', '*.onnx', 'm[1].onnx'].map(isPattern)).toEqual([false, false, true, true]);
});
