/** The manual page dist/man/onnx-compress.1, made by the build, says what `--help` says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { VERBS } from '../../src/options/verbs.ts';
import { compressEach, ROOT } from '../support/cli.ts';

interface Part {
  readonly head: string | undefined;
  readonly lines: readonly string[];
}

const script: string = join(ROOT, 'scripts/man.js');
const { entriesOf, escaped, manual, partsOf } = (await import(script)) as {
  entriesOf(lines: readonly string[]): readonly { readonly term: string; readonly description: string }[];
  escaped(text: string): string;
  manual(program: string, verbs: readonly (readonly [verb: string, help: string])[], name?: string): string;
  partsOf(text: string): readonly Part[];
};
const page = readFileSync(join(ROOT, 'dist/man/onnx-compress.1'), 'utf8');

test('every verb has a section with each of its options, worded as in its help', () => {
  for (const { line, stdout } of compressEach(VERBS.map((verb) => [verb, '--help']))) {
    const [verb = ''] = line.split(' ');
    const section = page.split(`.SH ${verb.toUpperCase()}\n`)[1]?.split('.SH ')[0] ?? '';
    const options = partsOf(stdout.toString())
      .filter(({ head }) => head !== undefined && head !== 'Examples')
      .flatMap(({ lines }) => entriesOf(lines));
    expect(options.length).toBeGreaterThan(5);
    for (const { term, description } of options) {
      expect(section).toContain(`.B ${escaped(term)}\n${escaped(description)}`);
    }
  }
});

test('the alias has the same page under its own name', () => {
  const other = readFileSync(join(ROOT, 'dist/man/compress.1'), 'utf8');
  const [title, ...rest] = other.split('\n');
  expect(title).toMatch(/^\.TH COMPRESS 1 /);
  expect(rest.slice(1, 3)).toEqual(['.SH NAME', expect.stringMatching(/^compress, onnx\\-compress \\- /)]);
  const renamed = page.replaceAll('onnx\\-compress ', 'compress ').split('\n');
  expect(rest.slice(3)).toEqual(renamed.slice(4));
});

test('text never becomes a roff request', () => {
  const program =
    "onnx-compress <verb>\n\nWhat it is for.\n\nOptions:\n  --a  first\n                    .so /etc/passwd\n  --b  'br\n";
  const made = manual(program, [['x', "compress x\n\n'em dash\\n\n"]]);
  const known = /^\.(TH|ad|SH|PP|nf|fi|TP|B|I)( |$)/;
  for (const line of made.split('\n').filter((one) => /^[.']/.test(one))) expect(line).toMatch(known);
  expect(made).toContain('.B \\-\\-a\nfirst .so /etc/passwd\n');
  expect(made).toContain("\\&'br\n");
  expect(made).toContain("\\&'em dash\\en\n");
});
