/**
 * Runs the commands of README.md and docs/ that are fenced as `sh test`, those of a page in one folder. Commands fenced
 * as `sh` that name model.onnx and its calib.npz run too. A backslash at the end continues a line. Commands fenced as
 * `console test` must print the lines below them.
 */
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { folder, type Result, ROOT, shell } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

const PAGES = [
  'README.md',
  ...(readdirSync(join(ROOT, 'docs'), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .sort(),
];

function blocksOf(page: string, fence: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${fence}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((found) => found[1] ?? '');
}

/** A single command that the shell would only split at spaces. */
const PLAIN = /^onnx-compress [\w ./:,=%+-]+$/;

function run(line: string, cwd: string): Result {
  const [, ...args] = line.trim().split(/ +/);
  return PLAIN.test(line) ? compress(args, { cwd }) : shell(`set -e -o pipefail; ${line}`, { cwd });
}

const commands = PAGES.map(
  (page) =>
    [
      page,
      [...blocksOf(page, 'sh test'), ...blocksOf(page, 'sh').filter((block) => /\bmodel\.onnx/.test(block))]
        .join('')
        .replaceAll(/\\\n */g, '')
        .split('\n')
        .filter((line) => line.trim() !== '' && !line.startsWith('#')),
    ] as const,
).filter(([, lines]) => lines.length > 0);

test('finds commands to run', () => {
  expect(commands.map(([page]) => page)).toContain('README.md');
});

test.each(PAGES)('%s: commands that are not run name files that only the reader has', (page) => {
  const idle = blocksOf(page, 'sh').filter((block) => /^onnx-compress /m.test(block));
  for (const block of idle) expect(block).toMatch(/model\.onnx|\$\{?[A-Z]+_/);
});

describe.each(commands)('%s', (_, lines) => {
  const cwd = folder();
  symlinkSync(join(ROOT, 'fixtures'), join(cwd, 'fixtures'));
  symlinkSync(join(ROOT, 'fixtures/digits-cnn.onnx'), join(cwd, 'model.onnx'));
  symlinkSync(join(ROOT, 'fixtures/digits-cnn-calib.npz'), join(cwd, 'calib.npz'));

  test.each(lines)('%s', (line) => {
    const done = run(line, cwd);
    expect(done.stderr).not.toMatch(/^error:/m);
    expect(done.code).toBe(0);
  });
});

test('a page shows what its commands print', () => {
  const cwd = folder();
  const [m, pruned] = [join(cwd, 'm.onnx'), join(cwd, 'pruned.onnx')];
  for (const name of ['m.onnx', 'digits-mlp.onnx'])
    symlinkSync(join(ROOT, 'fixtures/digits-mlp.onnx'), join(cwd, name));
  compress(['prune', '--l1', '60%', m, '-o', pruned]);
  compress(['pack', pruned, '-o', join(cwd, 'packed.onnx')]);
  const blocks = PAGES.flatMap((page) => blocksOf(page, 'console test'));
  expect(blocks.length).toBeGreaterThan(2);
  for (const block of blocks) {
    const printed = block.replaceAll(/^(?:[^$].*)?\n/gm, '').replaceAll(/^\$ (.*\n)/gm, (line, command: string) => {
      const done = run(command, cwd);
      return line + done.stdout + done.stderr;
    });
    expect(printed).toBe(block);
  }
});

test('README.md shows what the demo prints', () => {
  const cwd = folder();
  symlinkSync(join(ROOT, 'fixtures'), join(cwd, 'fixtures'));
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { demo: string } };
  const [, command = ''] = scripts.demo.split(' && ');
  const done = shell(`set -o pipefail; ${command.replaceAll('node bin/compress.js', 'onnx-compress')}`, { cwd });
  expect(done.code).toBe(0);
  const shown = /<!-- demo -->\n```text\n([\s\S]*?)```\n<!-- \/demo -->/.exec(
    readFileSync(join(ROOT, 'README.md'), 'utf8'),
  );
  expect(done.stderr).toBe(shown?.[1]);
});
