// Writes the manual pages of both names, dist/man/onnx-compress.1 and dist/man/compress.1, from what
// `onnx-compress --help` and `onnx-compress VERB --help` say.
//   npm run build
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version, description, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** The name of the program. */
const NAMES = Object.keys(bin);

function help(...verb) {
  return execFileSync(process.execPath, [join(root, 'bin/compress.js'), ...verb, '--help'], { encoding: 'utf8' });
}

/** Escapes text for roff: backslashes and hyphens stay literal, and no line begins like a request. */
export function escaped(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/gm, '\\&$1');
}

/** Splits a help text into paragraphs, and sections with their lines. */
export function partsOf(text) {
  const parts = [];
  let blank = true;
  for (const line of text.trimEnd().split('\n')) {
    const head = /^(\S.*):$/.exec(line)?.[1];
    if (head !== undefined) parts.push({ head, lines: [] });
    else if (/^\S/.test(line) && blank) parts.push({ head: undefined, lines: [line] });
    else if (line.trim() !== '') parts.at(-1)?.lines.push(line);
    blank = line.trim() === '';
  }
  return parts;
}

/** Parses lines of `term  description`, with descriptions continued below, into pairs. */
export function entriesOf(lines) {
  const entries = [];
  for (const line of lines) {
    const [, indent = '', rest = ''] = /^( *)(.*)$/.exec(line) ?? [];
    const [term = '', ...words] = rest.split(/ {2,}/);
    if (indent.length > 12) entries.at(-1)?.words.push(rest);
    else entries.push({ term, words });
  }
  return entries.map(({ term, words }) => ({ term, description: words.join(' ') }));
}

function roffOf({ head, lines }) {
  if (head === undefined) return ['.PP', ...lines.map(escaped)];
  if (head === 'Examples') return ['.PP', 'Examples:', '.PP', '.nf', ...lines.map(escaped), '.fi'];
  const entries = entriesOf(lines).flatMap(({ term, description: text }) => {
    return ['.TP', `.B ${escaped(term)}`, escaped(text === '' ? ' ' : text)];
  });
  return ['.PP', `.I ${escaped(head)}`, ...entries];
}

/** The page from the help of the program and of its verbs. */
export function manual(program, verbs, name = 'onnx-compress') {
  const [usage, summary, ...rest] = partsOf(program);
  const names = [name, ...NAMES.filter((one) => one !== name)].join(', ');
  const page = [
    `.TH ${escaped(name.toUpperCase())} 1 "" "onnx\\-compress ${escaped(version)}" "onnx\\-compress"`,
    '.ad l',
    ...['.SH NAME', `${escaped(names)} \\- ${escaped(description)}`],
    ...['.SH SYNOPSIS', '.nf', ...usage.lines.map(escaped), '.fi'],
    ...['.SH DESCRIPTION', ...summary.lines.map(escaped), ...rest.flatMap(roffOf)],
  ];
  for (const [verb, text] of verbs) {
    const [calls, ...parts] = partsOf(text);
    page.push(`.SH ${verb.toUpperCase()}`, '.nf', ...calls.lines.map(escaped), '.fi', ...parts.flatMap(roffOf));
  }
  return `${page.join('\n')}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const program = help();
  const { lines } = partsOf(program).find(({ head }) => head === 'Verbs');
  const names = entriesOf(lines).map(({ term }) => term);
  const verbs = names.filter((one) => one !== 'completion').map((verb) => [verb, help(verb)]);
  mkdirSync(join(root, 'dist/man'), { recursive: true });
  for (const name of NAMES) {
    const called = (text) => text.replaceAll(/\bonnx-compress (?=\S)/g, `${name} `);
    const each = verbs.map(([verb, text]) => [verb, called(text)]);
    writeFileSync(join(root, `dist/man/${name}.1`), manual(called(program), each, name));
  }
}
