import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { compressEach, copyOf, fixture, folder, ROOT, subfolder } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

/** A folder with m.onnx, and links to it. */
function withModel(): string {
  const cwd = folder();
  copyFileSync(fixture('mymodel.onnx'), join(cwd, 'm.onnx'));
  symlinkSync('m.onnx', join(cwd, 'symbolic.onnx'));
  linkSync(join(cwd, 'm.onnx'), join(cwd, 'hard.onnx'));
  subfolder(cwd, 'sub');
  return cwd;
}

describe('output files', () => {
  test('refuses an existing file, and the input under any path', () => {
    const cwd = withModel();
    writeFileSync(join(cwd, 'old.onnx'), 'old');
    const listing = readdirSync(cwd);
    const input = readFileSync(join(cwd, 'm.onnx'));
    const results = compressEach(
      ['old.onnx', 'm.onnx', './m.onnx', 'sub/../m.onnx', 'symbolic.onnx', 'hard.onnx', join(cwd, 'm.onnx')].map(
        (path) => [...['quantize', '--int8', 'm.onnx', '-o', path]],
      ),
      { cwd },
    );
    const [old, ...same] = results;
    expect(old?.stderr).toBe('error: old.onnx: the file already exists\n  Use --force to replace it.\n');
    for (const one of same)
      expect(one.stderr).toMatch(/^error: .*: is also the input\n {2}Use --force to replace it with the result\.\n$/);
    for (const one of results) expect(one.code).toBe(1);
    expect(readdirSync(cwd)).toEqual(listing);
    expect(readFileSync(join(cwd, 'm.onnx'))).toEqual(input);
    expect(readFileSync(join(cwd, 'old.onnx'), 'utf8')).toBe('old');
  });

  test('--force replaces a file, even the input, and keeps its permissions', () => {
    const cwd = withModel();
    writeFileSync(join(cwd, 'old.onnx'), 'old');
    chmodSync(join(cwd, 'old.onnx'), 0o600);
    const results = compressEach(
      [
        ['quantize', '--int8', 'm.onnx', '--force', '-o', 'old.onnx'],
        ['quantize', '--int8', 'm.onnx', '-f', '-o', './m.onnx'],
      ],
      { cwd },
    );
    expect(results.map((one) => one.code)).toEqual([0, 0]);
    expect(readFileSync(join(cwd, 'm.onnx'))).toEqual(readFileSync(join(cwd, 'old.onnx')));
    expect(readFileSync(join(cwd, 'hard.onnx'))).toEqual(readFileSync(fixture('mymodel.onnx')));
    expect(statSync(join(cwd, 'old.onnx')).mode & 0o777).toBe(0o600);
    expect(readdirSync(cwd)).toHaveLength(5);
  });

  test('--force in place works with external data', () => {
    const cwd = folder();
    const name = 'external-data.onnx';
    for (const one of [name, `${name}.data`]) copyFileSync(fixture(`edge/${one}`), join(cwd, one));
    const original = fixture(`edge/${name}`);
    const results = compressEach(
      [
        ['quantize', '--int8', original, '--embed', '-o', 'expected.onnx'],
        ['copy', '-f', name, '-o', name],
        ['quantize', '--int8', '-f', name, '-o', name],
        ['copy', name, '--embed', '-o', 'embedded.onnx'],
      ],
      { cwd },
    );
    expect(results.map((one) => one.code)).toEqual([0, 0, 0, 0]);
    const size = (path: string) => statSync(join(cwd, path)).size;
    expect(size('embedded.onnx')).toBe(size('expected.onnx'));
    expect(size(`${name}.data`)).toBeLessThan(statSync(fixture(`edge/${name}.data`)).size);
    expect(readdirSync(cwd)).toHaveLength(4);
  });

  test('refuses a missing folder', () => {
    const cwd = withModel();
    const listing = readdirSync(cwd);
    const results = compressEach(
      ['none/x.onnx', 'm.onnx/x.onnx'].map((path) => ['copy', 'm.onnx', '-o', path]),
      { cwd },
    );
    expect(results.map((one) => one.stderr)).toEqual([
      'error: none/x.onnx: the folder none does not exist\n',
      'error: m.onnx/x.onnx: part of the path is not a folder\n',
    ]);
    for (const one of results) expect(one.code).toBe(1);
    expect(readdirSync(cwd)).toEqual(listing);
  });
});

describe('input files', () => {
  test('refuses a file that is not a model, in one line', () => {
    const cwd = withModel();
    spawnSync('mkfifo', [join(cwd, 'fifo')]);
    writeFileSync(join(cwd, 'notes.txt'), 'These are notes, not a model.\n');
    writeFileSync(join(cwd, 'empty.onnx'), '');
    writeFileSync(join(cwd, '-dash.onnx'), readFileSync(fixture('mymodel.onnx')));
    const listing = readdirSync(cwd);
    const paths = ['missing.onnx', 'sub', '/dev/null', 'fifo', 'notes.txt', 'empty.onnx'];
    const results = compressEach(
      [...paths.map((path) => ['quantize', '--int8', path, '-o', 'out.onnx']), ['copy', '-n', '--', '-dash.onnx']],
      { cwd },
    );
    const [missing, sub, device, fifo, notes, empty, dash] = results;
    expect(missing?.stderr).toBe('error: missing.onnx: no such file or folder\n');
    expect(sub?.stderr).toBe('error: sub: there is no .onnx file in this folder\n');
    expect(device?.stderr).toBe('error: /dev/null: is not a regular file\n');
    expect(fifo?.stderr).toBe('error: fifo: is a pipe, not a regular file\n  Give it as standard input: < fifo\n');
    expect(notes?.stderr).toBe('error: notes.txt: is plain text, not an ONNX model\n  Give the .onnx file.\n');
    expect(empty?.stderr).toMatch(/^error: empty\.onnx.*\n( {2}.*\n)?$/);
    expect(dash).toMatchObject({ code: 0 });
    for (const one of results.slice(0, -1)) expect(one.code).toBe(1);
    expect(readdirSync(cwd)).toEqual(listing);
  });

  test("refuses data in place of a model, and the hint names the verb's option for data", () => {
    const cwd = withModel();
    copyOf('digits-mlp-calib.npz', cwd);
    const npz = 'digits-mlp-calib.npz';
    const model = fixture('digits-mlp.onnx');
    const results = compressEach(
      [
        ['quantize', npz, '-o', 'out.onnx'],
        ['prune', '--l1', '0.4', npz, '-o', 'out.onnx'],
        ['tune', npz, '--data', npz, '--max-drop', '1%', '-o', 'out.onnx'],
        ['verify', npz, model],
        ['verify', model, npz],
        ['bench', npz],
        ['inspect', npz],
        ['diff', model, npz],
        ['fold', npz, '-o', 'out.onnx'],
      ],
      { cwd },
    );
    const facts = results.map((one) => one.stderr.split('\n')[0]);
    for (const one of facts) expect(one).toBe(`error: ${npz}: is an .npz archive of NumPy arrays, not an ONNX model`);
    expect(results.map((one) => one.stderr.split('\n')[1]?.trim())).toEqual([
      'Give data with --calibrate.',
      'Give data with --calibrate, masks with --mask, scores with --scores.',
      'Give validation data with --data, calibration data with --calibrate.',
      ...new Array(3).fill('Give data with --data.'),
      ...new Array(3).fill('Give the .onnx file.'),
    ]);
    for (const one of results) expect(one.code).toBe(1);
    // Also a single array, even through a pipe.
    const array = Buffer.from("\x93NUMPY\x01\0v\0{'descr': '<f4'", 'latin1');
    const { stderr } = compress(['quantize'], { cwd, input: array });
    expect(stderr).toBe('error: <stdin>: is a NumPy array, not an ONNX model\n  Give data with --calibrate.\n');
  });

  const unreadable = process.getuid?.() === 0 ? test.skip : test;
  unreadable('a file without permission to read', () => {
    const cwd = withModel();
    chmodSync(join(cwd, 'm.onnx'), 0);
    const [one] = compressEach([['copy', 'm.onnx', '-o', 'out.onnx']], { cwd });
    expect(one).toMatchObject({ code: 1, stderr: 'error: m.onnx: permission denied\n' });
  });

  test('refuses malformed models with one line and perhaps a hint, without a stack trace or a file', () => {
    const cwd = folder();
    const paths = readdirSync(join(ROOT, 'fixtures/malformed'))
      .filter((name) => name.endsWith('.onnx'))
      .map((name) => fixture(`malformed/${name}`));
    expect(paths.length).toBeGreaterThan(4);
    const results = compressEach(
      paths.flatMap((path) => [
        ['prune', '--l1', '0.4', path, '-o', 'out.onnx'],
        ['copy', '--embed', path, '-o', 'out.onnx'],
      ]),
      { cwd },
    );
    for (const one of results) {
      expect(one.stderr).toMatch(/^error: \S*malformed\/.*\n( {2}.*\n)?$/);
      expect(one).toMatchObject({ code: 1 });
      expect(one.stdout.toString()).toBe('');
    }
    expect(readdirSync(cwd)).toEqual([]);
  });
});
