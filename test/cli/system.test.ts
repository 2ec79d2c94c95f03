/** Errors of the system become a sentence with exit code 1: full disks, long names, few open files, no build. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { BIN, compress, fixture, folder, oneLine, shell, subfolder } from '../support/cli.ts';

const MODEL = fixture('digits-mlp.onnx');
const linux = process.platform === 'linux' ? test : test.skip;

linux('a full disk under standard output, once, whatever goes there', () => {
  const output = join(folder(), 'o.onnx');
  for (const line of [
    ...['--help', '--version', 'completion', 'quantize --help', 'inspect "$M"', 'inspect --json "$M"'],
    ...['inspect -g "$M"', 'diff "$M" "$M"', 'quantize -q "$M" --dry-run --json', 'quantize -q "$M"'],
    ...['copy -q "$M"', 'prune -q --l1 0.4 "$M"', `quantize -q --json "$M" -o ${output}`],
  ]) {
    const { stderr, code } = shell(`compress ${line} > /dev/full`, { env: { M: MODEL } });
    expect([line, code, stderr]).toEqual([line, 1, 'error: <stdout>: no space left on the disk\n']);
  }
});

test('refuses too long a name for the model or its data', () => {
  const cwd = folder();
  for (const name of [`${'n'.repeat(251)}.onnx`, 'n'.repeat(255)]) {
    const { stderr, code } = compress(['quantize', MODEL, '-o', name, '--external-data', '-q'], { cwd });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: \S*n{200,}\S*: the file name is too long\n$/)]);
  }
  const page = compress(['quantize', MODEL, '-o', 'o.onnx', '-q', `--report=${'n'.repeat(260)}.html`], { cwd });
  expect([page.code, page.stderr]).toEqual([1, expect.stringContaining('the file name is too long')]);
  expect(readdirSync(cwd)).toEqual([]);
});

linux('few open files', () => {
  for (const limit of [20, 24, 28]) {
    const { stderr, code } = shell(`ulimit -n ${limit}; exec "${process.execPath}" "${BIN}" inspect "${MODEL}"`);
    expect([limit, code, oneLine(stderr)]).toEqual([
      ...[limit, 1],
      expect.stringMatching(/^error: .*open files.* ulimit -n shows how many, ulimit -n 1024 allows more\. $/),
    ]);
  }
});

test('says so if the program is not built', () => {
  const home = folder();
  copyFileSync(BIN, join(subfolder(home, 'bin'), 'compress.js'));
  const run = (): string => {
    const line = `"${process.execPath}" bin/compress.js inspect x.onnx; echo $?`;
    const done = shell(line, { cwd: home });
    expect(done.stdout.toString()).toBe('1\n');
    return done.stderr;
  };
  expect(run()).toMatch(/^error: onnx-compress is not built: .*\n {2}Build it there: npm install && npm run build\n$/);
  mkdirSync(join(home, 'dist'));
  expect(run()).toMatch('is not built');
});

test('refuses pipes without a writer for a recipe, amounts, a mask and scores', () => {
  const cwd = folder();
  execFileSync('mkfifo', ['fifo'], { cwd });
  const unwritten = 'is a pipe that no program writes to';
  for (const [line, fact] of [
    ['run fifo', unwritten],
    ['run fifo --print', unwritten],
    ['prune --l1 0.4 --amounts fifo', unwritten],
    ['prune --mask fifo', 'is not a regular file'],
    ['prune --l1 0.4 --scores fifo', 'is not a regular file'],
    ['quantize --ranges fifo', 'is not a regular file'],
    ['quantize --calibrate fifo', 'is not a regular file'],
  ] as const) {
    const { stderr, code } = compress([...line.split(' '), ...(line.includes('print') ? [] : [MODEL])], { cwd });
    expect([line, code, stderr]).toEqual([line, 1, expect.stringContaining(`fifo: ${fact}`)]);
  }
  const written = shell('onnx-compress prune -q --l1 0.4 --amounts <(echo \'{"fc1.weight": 0.5}\') "$M" | wc -c', {
    env: { M: fixture('mymodel.onnx') },
  });
  expect(written.stderr).not.toMatch(/pipe/);
});

test('refuses an endless stream that cannot be a model', () => {
  for (const [line, fact] of [
    ['yes', 'is plain text, not an ONNX model'],
    [`while cat "${process.execPath}"; do :; done 2> /dev/null`, 'Is it an ONNX model?'],
    ['{ echo slow; sleep 0.2; yes; }', 'is plain text, not an ONNX model'],
  ]) {
    for (const verb of ['inspect', 'copy']) {
      const { stderr, code } = shell(`${line} | compress ${verb} > /dev/null`);
      expect([line, code, stderr]).toEqual([line, 1, expect.stringContaining(`<stdin>: `)]);
      expect(stderr).toContain(fact);
    }
  }
});
