/** Outputs that are not regular files: nothing is destroyed, whatever path leads to them. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { compress, compressEach, copyOf, fixture, folder, shell } from '../support/cli.ts';

const MODEL = readFileSync(fixture('mymodel.onnx'));

/** A folder with m.onnx, the result of quantize, and `out`, a link to standard output like /dev/stdout. */
function withModel(): { readonly cwd: string; readonly small: Buffer } {
  const cwd = folder();
  writeFileSync(join(cwd, 'm.onnx'), MODEL);
  compress(['quantize', 'm.onnx', '-o', 'small.onnx', '-q'], { cwd });
  symlinkSync('/proc/self/fd/1', join(cwd, 'out'));
  return { cwd, small: readFileSync(join(cwd, 'small.onnx')) };
}

const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();

describe('standard output by a path', () => {
  test.each(['out', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'])('%s writes into a file and into a pipe', (path) => {
    const { cwd, small } = withModel();
    for (const force of ['', '-f']) {
      expect(shell(`onnx-compress quantize m.onnx -q ${force} -o ${path} > x.onnx`, { cwd })).toMatchObject({
        code: 0,
      });
      expect(readFileSync(join(cwd, 'x.onnx')).equals(small)).toBe(true);
      expect(compress(['quantize', 'm.onnx', '-q', '-o', path], { cwd }).stdout.equals(small)).toBe(true);
    }
    expect(readlinkSync(join(cwd, 'out'))).toBe('/proc/self/fd/1');
    expect(isLink('/dev/stdout')).toBe(true);
  });

  test('is refused where it cannot carry a model, like a dash', () => {
    const { cwd } = withModel();
    const [json, data, error] = compressEach(
      [
        ['copy', 'm.onnx', '-o', 'out', '--json'],
        ['copy', 'm.onnx', '-o', 'out', '--external-data'],
        ['copy', 'm.onnx', '-o', '/dev/stderr'],
      ],
      { cwd },
    );
    expect(json?.stderr).toMatch(/^error: --json: standard output carries the model\n/);
    expect(data?.stderr).toMatch(/^error: --external-data: standard output cannot carry a data file\n/);
    expect(error?.stderr).toMatch(/^error: --output: standard error carries the messages\n/);
  });

  test('other output does not mix with the bytes of the model', () => {
    const { cwd } = withModel();
    const options = ['--save-recipe', '--save-ranges'].flatMap((option) => [
      ['quantize', '--calibrate', 'random', 'm.onnx', option, 'out'],
      ['quantize', '--calibrate', 'random', 'm.onnx', '-o', '/dev/fd/1', option, '/dev/stdout'],
    ]);
    for (const { stderr, code } of compressEach(options, { cwd })) {
      expect(stderr).toMatch(/^error: --save-(recipe|ranges): standard output carries the model\n/);
      expect(code).toBe(2);
    }
    const recipe = compress(['quantize', 'm.onnx', '-q', '-o', 'r.onnx', '--save-recipe', 'out'], { cwd });
    expect(JSON.parse(recipe.stdout.toString())).toMatchObject({ steps: [{ verb: 'quantize' }] });
  });
});

describe('other streams', () => {
  test('accepts a descriptor, a process substitution and a named pipe', () => {
    const { cwd, small } = withModel();
    spawnSync('mkfifo', [join(cwd, 'fifo')]);
    const line = `
      onnx-compress quantize m.onnx -q -o /dev/fd/3 3> a.onnx &&
      onnx-compress quantize m.onnx -q -f -o >(cat > b.onnx) &&
      { cat fifo > c.onnx & onnx-compress quantize m.onnx -q -o fifo && wait $!; } &&
      for _ in $(seq 600); do [ "$(wc -c < b.onnx)" -ge ${small.length} ] && break; sleep 0.05; done`;
    expect(shell(line, { cwd })).toMatchObject({ code: 0, stderr: '' });
    for (const name of ['a', 'b', 'c']) expect(readFileSync(join(cwd, `${name}.onnx`)).equals(small)).toBe(true);
    expect(lstatSync(join(cwd, 'fifo')).isFIFO()).toBe(true);
  });

  test('keeps a device in place, and says why it cannot take a model', () => {
    const { cwd } = withModel();
    expect(compress(['prune', '--l1', '0.5', 'm.onnx', '-f', '-o', '/dev/null'], { cwd })).toMatchObject({ code: 0 });
    const full = compress(['copy', 'm.onnx', '-o', '/dev/full'], { cwd });
    expect(full).toMatchObject({ code: 1, stderr: 'error: /dev/full: no space left on the disk\n' });
    const data = compress(['copy', 'm.onnx', '-o', '/dev/null', '--external-data'], { cwd });
    expect(data.stderr).toMatch(/^error: --external-data: '\/dev\/null' cannot carry a data file\n/);
    for (const path of ['/dev/null', '/dev/full']) expect(lstatSync(path).isCharacterDevice()).toBe(true);
  });

  test('the report page describes the model that was streamed', () => {
    const { cwd } = withModel();
    const line = 'onnx-compress quantize m.onnx -o /dev/fd/3 3> a.onnx --report page.html';
    expect(shell(line, { cwd })).toMatchObject({ code: 0 });
    expect(readFileSync(join(cwd, 'page.html'), 'utf8')).toContain('fc1.weight');
  });
});

describe('links', () => {
  test('their targets are replaced, and the links stay', () => {
    const { cwd, small } = withModel();
    mkdirSync(join(cwd, 'store'));
    writeFileSync(join(cwd, 'store/v3.onnx'), 'old', { mode: 0o640 });
    symlinkSync('store/v3.onnx', join(cwd, 'a.onnx'));
    symlinkSync('a.onnx', join(cwd, 'b.onnx'));
    const refused = compress(['quantize', 'm.onnx', '-o', 'b.onnx'], { cwd });
    expect(refused.stderr).toMatch(
      /^error: \S*store\/v3\.onnx: the file already exists\n {2}Use --force to replace it\.\n$/,
    );
    expect(compress(['quantize', 'm.onnx', '-q', '-f', '-o', 'b.onnx'], { cwd })).toMatchObject({ code: 0 });
    expect(readFileSync(join(cwd, 'store/v3.onnx')).equals(small)).toBe(true);
    expect(lstatSync(join(cwd, 'store/v3.onnx')).mode & 0o777).toBe(0o640);
    expect([readlinkSync(join(cwd, 'a.onnx')), readlinkSync(join(cwd, 'b.onnx'))]).toEqual(['store/v3.onnx', 'a.onnx']);
  });

  test('a dangling link creates its target, with the data beside it', () => {
    const { cwd } = withModel();
    mkdirSync(join(cwd, 'store'));
    symlinkSync('store/new.onnx', join(cwd, 'link.onnx'));
    expect(compress(['copy', 'm.onnx', '-q', '--external-data', '-o', 'link.onnx'], { cwd })).toMatchObject({
      code: 0,
    });
    expect(isLink(join(cwd, 'link.onnx'))).toBe(true);
    expect(existsSync(join(cwd, 'store/new.onnx.data'))).toBe(true);
    for (const path of ['link.onnx', 'store/new.onnx']) {
      expect(compress(['copy', path, '--embed', '-q'], { cwd }).stdout.length).toBe(MODEL.length);
    }
  });

  test('every output follows them, and may not be another file of the run', () => {
    const { cwd } = withModel();
    copyOf('digits-cnn.onnx', cwd);
    for (const [name, to] of [
      ['page.html', 'real.html'],
      ['recipe.json', 'real.json'],
      ['ranges.json', 'real-ranges.json'],
      ['same.json', 'o.onnx'],
    ] as const) {
      symlinkSync(to, join(cwd, name));
    }
    const calibrated = ['quantize', '--calibrate', 'random', 'digits-cnn.onnx', '-o', 'o.onnx'];
    const clashes = compressEach(
      [
        ...['--save-ranges', '--save-recipe'].map((option) => [...calibrated, option, 'same.json']),
        [...calibrated, '--save-ranges', 'digits-cnn.onnx', '-f'],
        [...calibrated, '--save-ranges', 'o.onnx.data'],
        [...calibrated, '--save-ranges', 'x.json', '--save-recipe', 'x.json'],
      ],
      { cwd },
    );
    for (const { line, stderr } of clashes)
      expect([line, stderr]).toEqual([line, expect.stringContaining('of this run')]);
    const all = ['--report', 'page.html', '--save-recipe', 'recipe.json', '--save-ranges', 'ranges.json'];
    expect(compress([...calibrated, '-q', ...all], { cwd })).toMatchObject({ code: 0 });
    for (const name of ['page.html', 'recipe.json', 'ranges.json']) expect(isLink(join(cwd, name))).toBe(true);
    expect(JSON.parse(readFileSync(join(cwd, 'real.json'), 'utf8'))).toMatchObject({ steps: [{ verb: 'quantize' }] });
    expect(JSON.parse(readFileSync(join(cwd, 'real-ranges.json'), 'utf8'))).toMatchObject({ version: 1 });
    expect(readFileSync(join(cwd, 'real.html'), 'utf8')).toMatch(/^<!doctype html>/i);
  });

  test('a link in place of the data file is not followed, because no option names it', () => {
    const { cwd } = withModel();
    writeFileSync(join(cwd, 'victim'), 'precious');
    symlinkSync('victim', join(cwd, 'o.onnx.data'));
    expect(compress(['copy', 'm.onnx', '-q', '-f', '--external-data', '-o', 'o.onnx'], { cwd })).toMatchObject({
      code: 0,
    });
    expect(readFileSync(join(cwd, 'victim'), 'utf8')).toBe('precious');
    expect(isLink(join(cwd, 'o.onnx.data'))).toBe(false);
  });
});
