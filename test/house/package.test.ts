import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { environment, fixture, folder, ROOT } from '../support/cli.ts';

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly man: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
let files: string[] = [];
let home = '';

/** The package as users get it: unpacked from its tarball, with its dependencies and none of our tools. */
beforeAll(() => {
  home = folder();
  // Without scripts: prepack would rebuild dist/ while other tests use it.
  const packed = command('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', home], ROOT);
  const [one] = JSON.parse(packed) as { filename: string; files: { path: string }[] }[];
  files = (one?.files ?? []).map((file) => file.path);
  command('tar', ['-xzf', one?.filename ?? ''], home);
  mkdirSync(join(home, 'node_modules'));
  renameSync(join(home, 'package'), join(home, 'node_modules/onnx-compress'));
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    const path = join(home, 'node_modules', name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), path);
  }
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
});

function command(name: string, args: readonly string[], cwd: string): string {
  const done = spawnSync(name, args, { cwd, env: environment() });
  if (done.status !== 0) throw new Error(`${name} ${args.join(' ')}: ${done.error ?? done.stderr}`);
  return done.stdout.toString();
}

test('the tarball holds the program, its types, its licences and its documentation, and nothing else', () => {
  const top = new Set(files.map((path) => path.split('/')[0]));
  expect([...top].sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'THIRD-PARTY-LICENSES',
    'bin',
    'dist',
    'docs',
    'package.json',
    'schemas',
  ]);
  expect(files.filter((path) => path.startsWith('bin/'))).toEqual(['bin/compress.js']);
  expect(files).toEqual(
    expect.arrayContaining([
      ...['dist/index.js', 'dist/index.d.ts', 'dist/index.node.js', 'dist/index.node.d.ts'],
      ...['dist/bin/start.js', 'dist/bin/worker.js', 'dist/bin/report.html'],
      ...['docs/limits.md', 'docs/passes/quantize.md', 'docs/decisions/0009-a-file-instead-of-a-pipe.md'],
    ]),
  );
  expect(
    files.filter((path) => path.startsWith('docs/') && !/\.(md|svg)$|^docs\/guides\/clusters\//.test(path)),
  ).toEqual([]);
  // Code is there once, in dist/bin/; the rest is types, and two files that import it.
  const elsewhere = files.filter((path) => path.startsWith('dist/') && !/^dist\/(bin|man)\//.test(path));
  for (const path of elsewhere) expect(path).toMatch(/\.d\.ts$|^dist\/index(\.node)?\.js$/);
  for (const path of files.filter((one) => /^dist\/bin\//.test(one)))
    expect(path).toMatch(/\.js(\.map)?$|bin\/report\.html$/);
});

test('every package whose files a source map names has its licence in the package', () => {
  const own = join(home, 'node_modules/onnx-compress');
  const notices = readFileSync(join(own, 'THIRD-PARTY-LICENSES'), 'utf8').split(/^-{72}$/m);
  for (const path of files.filter((one) => one.endsWith('.js.map'))) {
    const { sources } = JSON.parse(readFileSync(join(own, path), 'utf8')) as { sources: string[] };
    for (const source of sources) {
      const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source) ?? [];
      if (name === undefined) continue;
      const notice = notices.find((one) => one.trimStart().startsWith(`${name} `));
      expect([name, notice?.match(/copyright|licen[cs]e/i)?.length]).toEqual([name, 1]);
    }
  }
});

test('every code file has a source map that contains our sources', () => {
  const own = join(home, 'node_modules/onnx-compress');
  const code = files.filter((path) => /^dist\/bin\/.*\.js$/.test(path));
  const seen = new Set<string>();
  for (const path of code) {
    const text = readFileSync(join(own, path), 'utf8');
    expect(text).toMatch(`//# sourceMappingURL=${basename(path)}.map`);
    const map = JSON.parse(readFileSync(join(own, `${path}.map`), 'utf8')) as {
      sources: string[];
      sourcesContent: (string | null)[];
    };
    for (const [index, source] of map.sources.entries()) {
      if (!source.startsWith('../../src/')) continue;
      expect(map.sourcesContent[index]).toBe(readFileSync(join(ROOT, source.slice('../../'.length)), 'utf8'));
      seen.add(source);
    }
  }
  expect(seen.size).toBeGreaterThan(200);
});

test('packages that are bundled are not dependencies, and all others are', () => {
  const own = join(home, 'node_modules/onnx-compress');
  const text = readFileSync(join(own, 'THIRD-PARTY-LICENSES'), 'utf8');
  const names = [...text.matchAll(/^- (\S+) \d+\.\d+\.\d+ \([\w-]+\)$/gm)].map(([, name]) => name ?? '');
  expect(names).toEqual(expect.arrayContaining(['chalk', 'cli-progress', 'protobufjs', 'uplot', 'yargs', 'yauzl']));
  for (const name of names) expect(manifest.dependencies).not.toHaveProperty([name]);
  const imported = new Set<string>();
  for (const path of files.filter((one) => one.endsWith('.js'))) {
    const text = readFileSync(join(own, path), 'utf8');
    for (const [, name = ''] of text.matchAll(/(?:\bfrom|\bimport|\bimport\() ?"([^".][^"]*)"/g)) imported.add(name);
  }
  const others = [...imported].filter((name) => !isBuiltin(name));
  // These two are imported only when needed; an error says how to install them.
  expect(others.filter((name) => !['onnxruntime-node', '@huggingface/tokenizers'].includes(name))).toEqual([
    'tinypool',
  ]);
  expect(manifest.dependencies).toHaveProperty('tinypool');
});

test('npm finds the manual pages, one for each name of the program', () => {
  expect(manifest.man.map((path) => basename(path))).toEqual(['onnx-compress.1', 'compress.1']);
  for (const path of manifest.man) expect(files).toContain(path.replace('./', ''));
  expect(manifest).toMatchObject({
    ...{ homepage: expect.stringMatching(/^https:/), bugs: expect.stringMatching(/^https:/) },
    repository: { type: 'git', url: expect.stringMatching(/^git\+https:/) },
  });
});

test('npm accepts the settings of the project without a warning', () => {
  const env = environment();
  for (const name of Object.keys(env)) if (/^npm_/i.test(name)) delete env[name];
  const done = spawnSync('npm', ['config', 'get', 'engine-strict'], { cwd: ROOT, env });
  expect(done.stdout.toString()).toBe('true\n');
  expect(done.stderr.toString()).not.toMatch(/project config/);
});

test('npm runs no install script of a dependency', () => {
  // None is needed, and that of onnxruntime-node downloads 300 MB of CUDA libraries. npm before 11.16 only checks the
  // lock.
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const scripted = Object.entries(lock.packages).filter(([, one]) => one.hasInstallScript === true);
  const names = scripted.map(([path]) => path.replace(/^.*node_modules\//, ''));
  const runtimes = ['onnxruntime-node', 'onnxruntime-node-1.21'];
  expect(Object.keys(manifest.allowScripts)).toEqual([...new Set([...names, ...runtimes])].sort());
  expect(new Set(Object.values(manifest.allowScripts))).toEqual(new Set([false]));
  for (const one of runtimes) expect(names).not.toContain(one);
});

test('npm pack builds, and refuses if it cannot', () => {
  const clone = folder();
  mkdirSync(join(clone, 'scripts'));
  for (const path of ['package.json', '.npmrc', 'scripts/prepare.js', 'README.md'])
    copyFileSync(join(ROOT, path), join(clone, path));
  const npm = (...args: readonly string[]) => spawnSync('npm', args, { cwd: clone, env: environment() });
  const bare = npm('pack');
  expect(bare.status).not.toBe(0);
  expect(bare.stderr.toString()).toMatch(
    /onnx-compress is not built: .*\n {2}Build it there first: npm install && npm run build/,
  );
  expect(readdirSync(clone)).not.toContain('onnx-compress-1.0.0.tgz');
  // With the tools installed it runs the build; here, a build that makes a file.
  mkdirSync(join(clone, 'node_modules/typescript'), { recursive: true });
  writeFileSync(join(clone, 'build.js'), FAKE_BUILD);
  const scripts = { ...manifest.scripts, build: 'node build.js' };
  writeFileSync(join(clone, 'package.json'), JSON.stringify({ ...manifest, scripts }));
  const packed = npm('pack', '--json');
  const [one] = JSON.parse(packed.stdout.toString()) as { files: { path: string }[] }[];
  expect(one?.files.map(({ path }) => path)).toContain('dist/bin/start.js');
});

const FAKE_BUILD = `
  import { mkdirSync, writeFileSync } from 'node:fs';
  mkdirSync('dist/bin', { recursive: true });
  writeFileSync('dist/bin/start.js', '');
  console.log('built');`;

test("the three lines of the README work with only the package's own dependencies", () => {
  const code = `
    import { prune, quantize, readModel, transform, writeModel } from 'onnx-compress';
    const model = await readModel(process.argv[2]);
    const reports = await transform(model, prune({ method: 'l1', amount: 0.4 }), quantize());
    await writeModel(model, 'small.onnx');
    await model.close();
    console.log(JSON.stringify(reports.map((one) => [one.pass, one.changes.length])));`;
  writeFileSync(join(home, 'example.js'), code);
  // onnxruntime-node is not installed: had prune or quantize loaded it, this would fail.
  expect(existsSync(join(home, 'node_modules/onnxruntime-node'))).toBe(false);
  const out = command(process.execPath, ['example.js', fixture('digits-mlp.onnx')], home);
  expect(JSON.parse(out)).toEqual([
    ['prune', 3],
    ['quantize', 3],
  ]);
  expect(readFileSync(join(home, 'small.onnx')).length).toBeLessThan(
    0.285 * readFileSync(fixture('digits-mlp.onnx')).length,
  );
});

test('a CommonJS program can require it, and a browser can bundle its core', async () => {
  writeFileSync(
    join(home, 'example.cjs'),
    `const { prune, readModel } = require('onnx-compress'); console.log(typeof prune, typeof readModel);`,
  );
  expect(command(process.execPath, ['example.cjs'], home)).toBe('function function\n');
  const { outputFiles, metafile } = await build({
    stdin: { contents: `export { prune, readModel } from 'onnx-compress';`, resolveDir: home },
    ...{ bundle: true, platform: 'browser', format: 'esm', target: 'es2022' },
    ...{ write: false, metafile: true, logLevel: 'silent' },
  });
  expect(Object.values(metafile.outputs).flatMap((one) => one.imports)).toEqual([]);
  expect(outputFiles[0]?.text).not.toMatch(/getBuiltinModule|createRequire/);
});

test("npm may run the package's scripts, which find nothing to prepare", () => {
  command('npm', ['run', 'prepare'], join(home, 'node_modules/onnx-compress'));
});

test('the installed command runs and prints its version', () => {
  const bin = join(home, 'node_modules/onnx-compress/bin/compress.js');
  expect(readFileSync(bin, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  const [own, runs] = command(process.execPath, [bin, '--version'], home).split('\n');
  expect(own).toBe(manifest.version);
  expect(runs).toMatch(/^onnxruntime-node is not installed, Node\.js \d/);
  command(
    process.execPath,
    [bin, 'quantize', '-q', fixture('mymodel.onnx'), '-o', 'cli.onnx', '--report=r.html'],
    home,
  );
  expect(readdirSync(home)).toContain('cli.onnx');
  expect(readFileSync(join(home, 'r.html'), 'utf8')).toMatch(/"kind":"not_asked","why":"[^"]*is not installed/);
});
