/** A value may directly follow the letter of its option, as in other Unix programs. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { splitAttached } from '../../src/cli/arguments.ts';
import { TABLES } from '../../src/options/tables.ts';
import { fixture, folder } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

const MLP = fixture('digits-mlp.onnx');

test.each([
  ['-osmall.onnx', ['-o', 'small.onnx']],
  ['-o=small.onnx', ['-o', 'small.onnx']],
  ['-fqosmall.onnx', ['-fqo', 'small.onnx']],
  ['-j4', ['-j', '4']],
  ['-o-', ['-o', '-']],
  ['-fo', ['-fo']],
  ['-qh', ['-qh']],
  ['--output=x', ['--output=x']],
  ['-5', ['-5']],
  ['-', ['-']],
])('%s', (given, read) => {
  expect(splitAttached(given, Object.values(TABLES.quantize.rows))).toEqual(read);
});

test('-oFILE writes FILE, also after other letters; a word after -- is a model', () => {
  const cwd = folder();
  expect(compress(['copy', MLP, '-oFirst.onnx', '-q'], { cwd })).toMatchObject({ code: 0, stderr: '' });
  expect(compress(['copy', '-fqoFirst.onnx', MLP], { cwd })).toMatchObject({ code: 0, stderr: '' });
  expect(existsSync(join(cwd, 'First.onnx'))).toBe(true);
  expect(compress(['copy', '-q', '-oOther.onnx', '--', '-oFirst.onnx'], { cwd }).stderr).toContain('./-oFirst.onnx');
});
