/** Several models at once: which models are found, what is written for each, and what is reported. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { BIN, compressEach, environment, fixture, folder } from '../support/cli.ts';

/** A folder with models: fixtures by their paths in it. */
function zoo(models: Readonly<Record<string, string>>, texts: Readonly<Record<string, string>> = {}): string {
  const cwd = folder();
  const files = [
    ...Object.entries(models).map(([path, name]) => [path, readFileSync(fixture(name))] as const),
    ...Object.entries(texts),
  ];
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), bytes);
  }
  return cwd;
}

function filesOf(path: string): string[] {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((one) => !one.isDirectory()).map((one) => join(one.parentPath, one.name));
  return files.map((one) => one.slice(path.length + 1)).sort();
}

const MLP = 'digits-mlp.onnx';
const CNN = 'digits-cnn.onnx';

test('quantize writes the same as for each model alone; a broken model does not stop the others, and the exit code is 1', () => {
  const cwd = zoo({ 'a.onnx': MLP, 'c.onnx': CNN }, { 'b.onnx': 'These are notes.\n' });
  const [alone, all, again, parallel] = compressEach(
    [
      ['quantize', '--int8', '-q', 'c.onnx', '-o', 'alone/'],
      ['quantize', '--int8', 'a.onnx', 'b.onnx', 'c.onnx', '-o', 'small'],
      ['quantize', '--int8', '*.onnx', '-o', 'small'],
      ['quantize', '--int8', '*.onnx', '-o', 'two', '--jobs', '2', '--json'],
    ],
    { cwd },
  );
  expect(alone).toMatchObject({ code: 0, stderr: '' });
  expect(all?.code).toBe(1);
  expect(all?.stderr.replaceAll(/→ .*?%\)/g, '→ …')).toBe(
    [
      'small/a.onnx: 204 kB → …',
      'error: b.onnx: is plain text, not an ONNX model',
      '  Give the .onnx file.',
      'small/c.onnx: 314 kB → …',
      '3 models: 518 kB → …, 1 failed',
      '',
    ].join('\n'),
  );
  expect(again?.code).toBe(1);
  expect(again?.stderr).toContain('skipped: small/a.onnx: the file already exists\n  Use --force');
  expect(again?.stderr).toContain('3 models: 2 skipped, 1 failed\n');
  const json = JSON.parse(parallel?.stdout.toString() ?? '');
  expect(json.models).toMatchObject([
    { input: 'a.onnx', output: 'two/a.onnx', status: 'done', report: { before: 204006 } },
    { input: 'b.onnx', status: 'failed', error: { code: 'malformed', hint: 'Give the .onnx file.' } },
    { input: 'c.onnx', output: 'two/c.onnx', status: 'done' },
  ]);
  expect(json.totals).toMatchObject({ models: 3, done: 2, skipped: 0, failed: 1 });
  for (const name of ['a.onnx', 'c.onnx']) {
    expect(readFileSync(join(cwd, 'two', name)).equals(readFileSync(join(cwd, 'small', name)))).toBe(true);
  }
  expect(readFileSync(join(cwd, 'alone/c.onnx')).equals(readFileSync(join(cwd, 'small/c.onnx')))).toBe(true);
});

describe('folders', () => {
  test('--recursive keeps the folder structure, and skips earlier results', () => {
    const cwd = zoo({ 'zoo/m.onnx': MLP, 'zoo/x/m.onnx': CNN }, { 'zoo/x/config.json': '{}' });
    const line = ['copy', '-q', '-r', 'zoo', '-o', 'zoo/out'];
    const results = compressEach([line, [...line, '--force'], ['copy', '-q', '-r', 'zoo', 'zoo/x', '-o', 'both']], {
      cwd,
    });
    expect(results.map((one) => [one.code, one.stderr])).toEqual([
      [0, ''],
      [0, ''],
      // A model given twice counts once.
      [0, ''],
    ]);
    expect(filesOf(join(cwd, 'zoo/out'))).toEqual(['m.onnx', 'x/m.onnx']);
    expect(filesOf(join(cwd, 'both')).filter((one) => one.startsWith('x'))).toEqual(['x/m.onnx']);
  });

  test('a single folder is copied with its models compressed, without links that lead out of it and data files of models', () => {
    const data = 'external-data.onnx.data';
    const cwd = zoo(
      { 'hub/onnx/model.onnx': MLP, 'hub/onnx/external-data.onnx': 'edge/external-data.onnx' },
      { 'hub/config.json': '{"a":1}', 'hub/.git/HEAD': 'x', 'secret.txt': 'secret' },
    );
    writeFileSync(join(cwd, 'hub/onnx', data), readFileSync(fixture(`edge/${data}`)));
    symlinkSync('../secret.txt', join(cwd, 'hub/vocab.txt'));
    symlinkSync('config.json', join(cwd, 'hub/same.json'));
    const [done] = compressEach([['quantize', '--embed', 'hub', '-o', 'small/']], { cwd });
    expect(done?.stderr).toContain('note: hub/vocab.txt is a link to a file outside its folder, and was not copied\n');
    expect(done?.stderr).toContain(', 2 other files copied\n');
    expect(done?.code).toBe(1);
    expect(filesOf(join(cwd, 'small'))).toEqual([
      'config.json',
      'onnx/external-data.onnx',
      'onnx/model.onnx',
      'same.json',
    ]);
    expect(readFileSync(join(cwd, 'small/config.json'), 'utf8')).toBe('{"a":1}');
  });
});

test('data files of one name stay apart if their bytes differ; models that share one still share it', () => {
  const [model, data] = ['edge/external-data.onnx', 'external-data.onnx.data'];
  const cwd = zoo({ 'a/m.onnx': model, 'b/n.onnx': model, 'b/o.onnx': model });
  const bytes = readFileSync(fixture(`edge/${data}`));
  const others = new Uint8Array(bytes).map((byte) => byte ^ 1);
  writeFileSync(join(cwd, 'a', data), bytes);
  writeFileSync(join(cwd, 'b', data), others);
  const [apart, shared, refused, embedded] = compressEach(
    [
      ['copy', '-q', '-f', 'a/m.onnx', 'b/n.onnx', '-o', 'out'],
      ['copy', '-q', 'b', '-o', 'whole'],
      ['copy', '-q', '-f', 'a/m.onnx', 'b/n.onnx', '-o', 'a'],
      ['copy', '-q', '-r', '--embed', 'a', 'b', 'out', '-o', 'embedded'],
    ],
    { cwd },
  );
  expect(apart).toMatchObject({ code: 0, stderr: '' });
  expect(filesOf(join(cwd, 'out'))).toEqual(['m.onnx', 'm.onnx.data', 'n.onnx', 'n.onnx.data']);
  expect(embedded?.code).toBe(0);
  for (const [from, to] of [
    ['a', 'm.onnx'],
    ['b', 'n.onnx'],
  ] as const) {
    expect(readFileSync(join(cwd, 'embedded/out', to)).equals(readFileSync(join(cwd, 'embedded', from, to)))).toBe(
      true,
    );
  }
  expect(shared).toMatchObject({ code: 0, stderr: '' });
  expect(filesOf(join(cwd, 'whole'))).toEqual([data, 'n.onnx', 'o.onnx']);
  expect(refused?.code).toBe(2);
  expect(refused?.stderr).toContain(`a/${data}: is a data file of a/m.onnx, and may be overwritten for b/n.onnx\n`);
  expect(readFileSync(join(cwd, 'a', data)).equals(bytes)).toBe(true);
});

test('invalid combinations are refused before a model is read', () => {
  const cwd = zoo({ 'a/m.onnx': MLP, 'b/m.onnx': CNN });
  const two = ['a/m.onnx', 'b/m.onnx'];
  const lines: [string[], RegExp][] = [
    [
      ['copy', ...two, '-o', 'out'],
      /out\/m\.onnx: would be written for two models: a\/m\.onnx and b\/m\.onnx\n.*-r \.\n/,
    ],
    [['copy', ...two], /2 models go to a folder, and none is named/],
    [['copy', ...two, '-o', 'x.onnx'], /--output: 2 models go to a folder, and 'x\.onnx' is a file/],
    [['copy', ...two, '-o', '-'], /--output: 2 models go to a folder, not to standard output/],
    [['copy', 'a', 'b', '-o', 'out'], /a: is a folder\n {2}--recursive compresses the models in it/],
    [['copy', 'a/m.onnx', '', '-o', 'out'], /model: a file name is empty/],
    [['copy', ...two, '-o', 'a'], /a\/m\.onnx: would be written for /],
    [['fold', 'a', '-o', 'out', '--report', 'page.html'], /--report: each model gets its own page/],
    [
      ['quantize', 'a', '-o', 'out', '--calibrate', 'x.npz', '--save-ranges', 'r.json'],
      /--save-ranges: it applies to a single model, and several were given/,
    ],
  ];
  const results = compressEach(
    lines.map(([line]) => line),
    { cwd },
  );
  for (const [index, [, expected]] of lines.entries()) expect(results[index]?.stderr).toMatch(expected);
  expect(results.map((one) => one.code)).toEqual(lines.map(() => 2));
  expect(filesOf(cwd)).toEqual(two);
});

test('prune writes a page per model and one recipe; inspect and verify print a line per model', () => {
  const cwd = zoo({ 'f/a.onnx': MLP, 'f/s/b.onnx': MLP });
  const prune = ['prune', '--l1', '40%', '-r', 'f', '-o', 'p', '--report', 'pages/', '--save-recipe', 'r.json'];
  const [pruned, inspected, whole, verified, csv, graphs] = compressEach(
    [
      prune,
      ['inspect', 'f'],
      ['inspect', '-v', 'f/a.onnx', 'p/s/b.onnx'],
      ['verify', 'f', 'p', '--min-sqnr', '60', '--jobs', '2'],
      ['inspect', '--format', 'csv', 'f'],
      ['inspect', '--graph', 'f'],
    ],
    { cwd },
  );
  expect(pruned).toMatchObject({ code: 0 });
  expect(filesOf(join(cwd, 'pages'))).toEqual(['a.html', 's/b.html']);
  expect(JSON.parse(readFileSync(join(cwd, 'r.json'), 'utf8')).steps).toEqual([{ verb: 'prune', l1: 0.4 }]);
  const rows = (text: string | undefined): string[][] =>
    (text ?? '').split('\n').map((line) => line.trim().split(/ +/));
  expect(rows(inspected?.stdout.toString()).slice(0, 3)).toEqual([
    ['model', 'size', 'parameters', 'nodes', 'opset', 'type'],
    ['f/a.onnx', '204', 'kB', '50826', '5', '17', 'float32'],
    ['f/s/b.onnx', '204', 'kB', '50826', '5', '17', 'float32'],
  ]);
  expect(whole?.stdout.toString().match(/^\S+: 204 kB, 50826 parameters$/gm)).toHaveLength(2);
  const lines = csv?.stdout.toString().trimEnd().split('\n') ?? [];
  expect(lines.filter((line) => line.startsWith('input,'))).toEqual([lines[0]]);
  expect(lines.map((line) => line.split(',', 2).join(' ')).slice(1, -1)).toContain('f/a.onnx fc2.weight');
  expect(lines.at(-1)).toMatch(/^f\/s\/b\.onnx,/);
  expect(lines).toHaveLength(13);
  expect(graphs?.stdout.toString().match(/^==> .*$/gm)).toEqual(['==> f/a.onnx <==', '==> f/s/b.onnx <==']);
  // A model that fails a gate still has its line in the table.
  expect(verified?.code).toBe(3);
  expect(rows(verified?.stdout.toString()).map(([name]) => name)).toEqual(['model', 'p/a.onnx', 'p/s/b.onnx', '']);
  expect(verified?.stdout.toString().match(/random inputs, seed 0$/gm)).toHaveLength(2);
  expect(verified?.stderr).toMatch(/error: .*p\/a\.onnx.*dB/);
  expect(verified?.stderr).toContain('2 models: 2 failed');
});

test('when the program is terminated, its processes end too and leave no partial file', async () => {
  const cwd = zoo({ 'a.onnx': MLP, 'b.onnx': CNN });
  // Enough work to be interrupted.
  const line = ['quantize', '--calibrate', 'random', '--samples', '1000000', '*.onnx', '-o', 'out', '--jobs', '2'];
  const parent = spawn(process.execPath, [BIN, ...line], { cwd, env: environment(), stdio: 'ignore' });
  const children = (): string[] => childrenOf(parent.pid ?? 0);
  while (children().length < 2) await sleep(20);
  const pids = children();
  const ended = once(parent, 'exit');
  parent.kill('SIGTERM');
  expect((await ended)[1]).toBe('SIGTERM');
  while (pids.some((pid) => existsSync(`/proc/${pid}`))) await sleep(20);
  expect(existsSync(join(cwd, 'out')) ? readdirSync(join(cwd, 'out')) : []).toEqual([]);
});

/** The child processes of a process, on Linux. */
function childrenOf(pid: number): string[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split(' ').filter(Boolean) : ['', ''];
}
