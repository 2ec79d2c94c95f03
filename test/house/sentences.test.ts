/** Sentences are for people: the program decides by data (`code` and `kind` of errors, `facts` of reports). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ROOT } from '../support/cli.ts';

/** A comparison of a sentence with text, a template, a pattern or a constant. */
const READS = [
  /\b(hint|message|notes?|facts?|sentence)(\[\d+\])?( [!=]== |\??\.(startsWith|endsWith|includes|match|search)\()['"`/A-Z]/,
  /\.test\((\w+\.)*(hint|notes?|facts?|sentence)\b/,
];

function readingLines(text: string): string[] {
  return text.split('\n').filter((line) => READS.some((one) => one.test(line)));
}

test('no code depends on the text of a sentence', () => {
  const folder = join(ROOT, 'src');
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith('.ts'))) {
    expect([name, readingLines(readFileSync(join(folder, name), 'utf8'))]).toEqual([name, []]);
  }
});

test.each([
  "folded.notes[0] === 'nothing to fold'",
  'one.notes.some((note) => note.startsWith(FOLDED_FIRST))',
  "!cause.hint?.startsWith('The file is incomplete')",
  'hint === IS_DATA',
  'facts.includes(NO_CLASSES)',
  '/too early/.test(cause.hint)',
])('detects `%s`', (line) => {
  expect(readingLines(line)).toEqual([line]);
});
