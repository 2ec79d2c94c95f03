/** Where a package has to be installed so that this program finds it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { installCommand } from '../../../src/node/runtime/install.ts';
import { folder, ROOT } from '../../support/cli.ts';

/** Folders of these names, those that end with `!` with a package.json in them. */
function lay(...names: readonly string[]): string {
  const home = folder();
  for (const name of names) {
    const path = join(home, name.replace('!', ''));
    mkdirSync(path, { recursive: true });
    if (name.endsWith('!')) writeFileSync(join(path, 'package.json'), '{}');
  }
  return home;
}

const FILE = 'node_modules/onnx-compress/dist/bin/main.js';
const command = (here: string, cwd: string): string => installCommand('ort', here, cwd);

test('in a project it is installed there, from wherever one is', () => {
  const home = lay('app!', 'app/src', 'other', 'my app!');
  expect(command(join(home, 'app', FILE), join(home, 'app/src'))).toBe('npm install ort');
  expect(command(join(home, 'app', FILE), join(home, 'other'))).toBe(`cd ${home}/app && npm install ort`);
  expect(command(join(home, 'my app', FILE), home)).toBe(`cd "${home}/my app" && npm install ort`);
});

test('in a clone likewise', () => {
  expect(command(join(ROOT, 'dist/bin/main.js'), ROOT)).toBe('npm install ort');
  expect(command(join(ROOT, 'dist/bin/main.js'), '/')).toBe(`cd ${ROOT.replace(/\/$/, '')} && npm install ort`);
});

test('for all, with npm: globally, and under the prefix where that is another', () => {
  const usual = dirname(dirname(process.execPath));
  expect(command(join(usual, 'lib', FILE), '/tmp')).toBe('npm install -g ort');
  const home = lay('lib', 'project!');
  expect(command(join(home, 'lib', FILE), join(home, 'project'))).toBe(`npm install -g ort --prefix ${home}`);
});

test('with npx both are named', () => {
  const home = lay('_npx/0123!');
  expect(command(join(home, '_npx/0123', FILE), home)).toBe('npx -p onnx-compress -p ort onnx-compress …');
});

test('with pnpm, in a project and for all', () => {
  const home = lay('app!', 'pnpm/global/5!');
  const file = `node_modules/.pnpm/onnx-compress@1.0.0/${FILE}`;
  expect(command(join(home, 'app', file), join(home, 'app'))).toBe('pnpm add ort');
  expect(command(join(home, 'pnpm/global/5', file), home)).toBe('pnpm add -g ort');
});
