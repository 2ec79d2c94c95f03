/** What a command loads before it starts work: few files, and nothing that it does not need. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { compress, fixture, folder } from '../support/cli.ts';

let home = '';
let hooks = '';
beforeAll(() => {
  home = folder();
  hooks = join(home, 'register.mjs');
  writeFileSync(hooks, "import { register } from 'node:module';\nregister('./hooks.mjs', import.meta.url);\n");
  writeFileSync(
    join(home, 'hooks.mjs'),
    `import { appendFileSync } from 'node:fs';
    export function load(url, context, next) {
      if (url.includes('/dist/bin/')) appendFileSync(process.env.LOADED, new URL(url).pathname + '\\n');
      return next(url, context);
    }`,
  );
});

/** The files of the bundle that a command loads, and the modules in them. */
function loadedBy(...args: readonly string[]): { readonly files: string[]; readonly modules: string[] } {
  const list = join(home, `${args[0]}.txt`);
  const done = compress(args, { env: { NODE_OPTIONS: `--import ${hooks}`, LOADED: list } });
  expect(done.stderr).not.toContain('error');
  const files = readFileSync(list, 'utf8').trim().split('\n');
  const modules = files.flatMap((file) => (JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMap).sources);
  return { files, modules: modules.map((path) => path.replace(/^.*\.\.\/(?=src|node_modules)/, '')) };
}

interface SourceMap {
  readonly sources: string[];
}

/** Modules that only data, ONNX Runtime and drawing need. */
const LATER = /^src\/node\/(data|runtime|activations)\/|^node_modules\/(ndarray|yauzl|fflate|cli-progress)\//;

// Each file adds most of a millisecond to the start.
test.each([
  ['--version', [], 10],
  ['copy', [], 16],
  ['quantize', ['--int8'], 22],
  ['prune', ['--l1', '0.4'], 22],
])('%s loads few files, and no code for data', (verb, options, most) => {
  const model = verb === '--version' ? [] : [fixture('digits-mlp.onnx'), '-o', join(home, `${verb}.onnx`)];
  const { files, modules } = loadedBy(verb, ...options, ...model);
  expect(modules.filter((path) => LATER.test(path))).toEqual([]);
  expect(files.length).toBeLessThanOrEqual(most);
  const passes = modules.filter((path) => /^src\/passes\/(prune|quantize)\/index/.test(path));
  expect(passes).toEqual(verb === 'prune' || verb === 'quantize' ? [`src/passes/${verb}/index.ts`] : []);
});
