/**
 * The form of the pages: links lead somewhere, lines are short, the table of README.md is part of docs/measured.md.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT } from '../support/cli.ts';

const PAGES = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  ...(readdirSync(join(ROOT, 'docs'), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .sort(),
];

const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
const withoutCode = (text: string): string => text.replaceAll(/^```[\s\S]*?^```$/gm, '');

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(page: string): readonly string[] {
  const headings = withoutCode(textOf(page)).matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(PAGES)('%s: links lead to files and headings that exist', (page) => {
  const links = [...withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  const wrong = links.filter((link) => {
    if (/^(https?|mailto):/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(wrong).toEqual([]);
});

test.each(PAGES)('%s: no line except table rows has more than 120 characters', (page) => {
  const long = textOf(page)
    .split('\n')
    .filter((line) => line.length > 120 && !line.startsWith('|'));
  expect(long).toEqual([]);
});

test('the index links to every page', () => {
  const index = textOf('docs/README.md');
  for (const page of PAGES.filter((one) => one.startsWith('docs/') && one !== 'docs/README.md'))
    expect(index).toContain(`](${page.slice('docs/'.length)})`);
});

test('the table of README.md has rows of docs/measured.md, without the size', () => {
  const rowsOf = (page: string, name: string): string[][] => {
    const [, table = ''] = new RegExp(`<!-- ${name} -->\n([\\s\\S]*?)<!-- /${name} -->`).exec(textOf(page)) ?? [];
    return table.split('\n').map((row) => row.split(' | '));
  };
  const all = rowsOf('docs/measured.md', 'bench').map((cells) => cells.toSpliced(2, 1));
  const shown = rowsOf('README.md', 'bench-short');
  expect(shown.length).toBeGreaterThan(6);
  for (const row of shown) expect(all).toContainEqual(row);
});
