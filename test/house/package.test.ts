import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { environment, fixture, folder, ROOT } from '../support/cli.ts';

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
let files: string[] = [];
let home = '';

/** The package as a stranger has it: unpacked from its tarball, with its dependencies and none of our tools beside it. */
beforeAll(() => {
  home = folder();
  // Without scripts: prepack would build dist/ anew under the other tests.
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

test('the tarball holds the program, its types and its papers, and nothing else', () => {
  const top = new Set(files.map((path) => path.split('/')[0]));
  expect([...top].sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'bin',
    'dist',
    'package.json',
  ]);
  expect(files.filter((path) => path.startsWith('bin/'))).toEqual(['bin/compress.js']);
  expect(files).toEqual(
    expect.arrayContaining([
      ...['dist/index.js', 'dist/index.d.ts', 'dist/bin/start.js', 'dist/bin/worker.js'],
      ...['dist/bin/LICENSES.txt', 'dist/bin/report.html', 'dist/man/compress.1'],
    ]),
  );
  for (const path of files.filter((one) => one.startsWith('dist/')))
    expect(path).toMatch(/\.(js|d\.ts|wasm|1)$|bin\/(LICENSES\.txt|report\.html)$/);
});

test('npm takes the settings of the project without a warning, and builds what it publishes', () => {
  const env = environment();
  for (const name of Object.keys(env)) if (/^npm_/i.test(name)) delete env[name];
  const done = spawnSync('npm', ['config', 'get', 'ignore-scripts'], { cwd: ROOT, env });
  expect(done.stdout.toString()).toBe('true\n');
  expect(done.stderr.toString()).not.toMatch(/project config/);
  expect(manifest).toMatchObject({ publishConfig: { 'ignore-scripts': false }, scripts: { prepack: 'npm run build' } });
});

test('the three lines of the README work where only its own dependencies are', () => {
  const code = `
    import { prune, quantize, readModel, transform, writeModel } from 'onnx-compress';
    const model = await readModel(process.argv[2]);
    const reports = await transform(model, prune({ method: 'l1', amount: 0.4 }), quantize());
    await writeModel(model, 'small.onnx');
    await model.close();
    console.log(JSON.stringify(reports.map((one) => [one.pass, one.changes.length])));`;
  writeFileSync(join(home, 'example.js'), code);
  // onnxruntime-node is not there: had prune or quantize loaded it, this would fail.
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

test('the command runs from there and knows its version', () => {
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
