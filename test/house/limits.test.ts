import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT } from '../support/cli.ts';

/** Folders whose code reads untrusted files. */
const ROOMS = [
  'src/node',
  'src/onnx',
  'src/passes/inline',
  'src/passes/channels',
  'src/passes/pack',
  'src/passes/constants',
];
/** Files in other folders that do so. */
const FILES = ['src/options/written.ts', 'src/passes/recipe.ts'];
/** Not limits on files: a window over a file, and the names of hidden files. */
const OTHERS = new Set(['MAX_AHEAD', 'MAX_NAME', 'MAX_TAIL', 'MAX_STEM']);

interface Limit {
  readonly name: string;
  readonly value: number;
  readonly path: string;
}

/** `1 << 20`, `2 ** 31 - 1`, `100_000`. */
function numberOf(expression: string): number {
  const plain = expression.replaceAll('_', '').trim();
  const [, base, operator, exponent, less] = /^(\d+)(?: (<<|\*\*) (\d+)(?: - (\d+))?)?$/.exec(plain) ?? [];
  if (base === undefined) throw new Error(`cannot read the limit ${expression}`);
  if (operator === undefined) return Number(base);
  const power = operator === '<<' ? Number(base) * 2 ** Number(exponent) : Number(base) ** Number(exponent);
  return power - Number(less ?? 0);
}

const sources = [
  ...FILES,
  ...ROOMS.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${room}/${name}`),
  ),
];

const limits: Limit[] = sources.flatMap((path) => {
  const found = readFileSync(join(ROOT, path), 'utf8').matchAll(
    /^(?:export )?const (MAX_\w+)(?:: number)? = ([^;]+);/gm,
  );
  return [...found]
    .filter(([, constant = '']) => !OTHERS.has(constant))
    .map(([, constant = '', expression = '']) => ({ name: constant, value: numberOf(expression), path }));
});

const rows = readFileSync(join(ROOT, 'docs/limits.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, name, value, path] = /^\| `(MAX_\w+)` \| (\d+) \| (\S+) \| .+ \| .+ \|$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, value: Number(value), path }];
  });

test('docs/limits.md lists every limit of the code with its number, and no other', () => {
  const sorted = (list: readonly object[]): string[] => list.map((one) => JSON.stringify(one)).sort();
  expect(sorted(rows)).toEqual(sorted(limits));
  expect(limits.length).toBeGreaterThan(20);
});

test('docs/limits.md gives the attack for every limit', () => {
  for (const { name, path } of limits) {
    const lines = readFileSync(join(ROOT, path), 'utf8').split('\n');
    const at = lines.findIndex((line) => line.includes(`const ${name}`));
    expect([name, lines[at - 1]?.trim()]).toEqual([name, expect.stringMatching(/\*\/$/)]);
  }
});
