/**
 * A verb in the table of verbs is in every place where users look for it, and its `--json` output matches the schema of
 * its type.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import ts from 'typescript';
import { VERBS } from '../../src/options/verbs.ts';
import { compressEach, ROOT } from '../support/cli.ts';

const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const { options } = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile).config,
  ts.sys,
  ROOT,
);
/** Cache of parsed files: most of them are the same in each program. */
const read = new Map<string, ts.SourceFile | undefined>();

/** The program, with the text of some files replaced. */
function programOf(changed: ReadonlyMap<string, string> = new Map()): ts.Program {
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (path, language, ...rest) => {
    const text = changed.get(path);
    if (text !== undefined) return ts.createSourceFile(path, text, language);
    if (!read.has(path)) read.set(path, getSourceFile(path, language, ...rest));
    return read.get(path);
  };
  return ts.createProgram([join(ROOT, 'src/cli/main.ts')], options, host);
}

/** Verbs that the index covers completely. */
const WITHOUT_PAGE = ['copy'];

test('every verb has a row in docs/README.md that links to its page', () => {
  const rows = [...textOf('docs/README.md').matchAll(/^\| (?:\[`(\w+)`\]\(([^)]+)\)|`(\w+)`) \| \w/gm)];
  const pages = new Map(rows.map(([, linked, page, plain]) => [linked ?? plain ?? '', page]));
  expect([...pages.keys()].sort()).toEqual([...VERBS].sort());
  expect(VERBS.filter((verb) => pages.get(verb) === undefined)).toEqual(WITHOUT_PAGE);
  for (const [verb, page] of pages)
    if (page !== undefined) expect(textOf(`docs/${page}`)).toContain(`onnx-compress ${verb} `);
});

test('every verb has a command, under its name', () => {
  const commands = 'src/cli/commands';
  for (const verb of VERBS) {
    const [file = ''] = [`${commands}/${verb}.ts`, `${commands}/${verb}/index.ts`].filter((one) =>
      existsSync(join(ROOT, one)),
    );
    expect(file).not.toBe('');
    expect(textOf(file)).toContain(`verb: '${verb}',`);
  }
});

test('help, completion, the manual page and the list of options have every verb', () => {
  const [help, completion] = compressEach([['--help'], ['--get-completions', '0', '']]);
  const listed = [...(help?.stdout.toString() ?? '').matchAll(/^ {2}([a-z]+) {2,}/gm)].map((one) => one[1]);
  expect(listed).toEqual([...VERBS, 'completion']);
  const offered = (completion?.stdout.toString() ?? '').split('\n').map((line) => line.split('\t')[0]);
  expect(offered).toEqual(expect.arrayContaining([...VERBS]));
  const manual = [...textOf('dist/man/compress.1').matchAll(/^\.SH (\w+)$/gm)].map((one) => one[1]?.toLowerCase());
  expect(manual).toEqual(expect.arrayContaining([...VERBS]));
  const options = [...textOf('docs/options.md').matchAll(/^## (\w+)$/gm)].map((one) => one[1]);
  expect(options).toEqual(VERBS);
});

test('given only the name of a new verb, the type checker reports the files that CONTRIBUTING.md names', () => {
  const verbs = join(ROOT, 'src/options/verbs.ts');
  const changed = textOf('src/options/verbs.ts')
    .replace("  'prune',\n", "  'prune',\n  'shrink',\n")
    .replace('STEP_VERBS = [', "STEP_VERBS = ['shrink', ");
  const program = programOf(new Map([[verbs, changed]]));
  const knows = program.getSourceFiles().filter(({ text, fileName }) => fileName === verbs || /verbs\.ts'/.test(text));
  const asked = knows.filter((file) => program.getSemanticDiagnostics(file).length > 0);
  const paths = asked.map(({ fileName }) => fileName.slice(ROOT.length).replace(/^\//, ''));
  const section = textOf('CONTRIBUTING.md').split('## A new verb')[1] ?? '';
  const named = [...section.matchAll(/`(src\/[\w/.]+\.ts)`/g)].map(([, path = '']) => path);
  expect(paths.sort()).toEqual(named.filter((path) => !path.startsWith('src/index')).sort());
});

test('the files that CONTRIBUTING.md names for a new verb exist', () => {
  const named = [...textOf('CONTRIBUTING.md').matchAll(/`((?:src|test|docs|scripts|fixtures)\/[\w./-]*)`/g)];
  expect(named.length).toBeGreaterThan(8);
  for (const [, path = ''] of named) expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
});

test('the schemas of --json match its types (otherwise run node scripts/schemas.js)', async () => {
  const script: string = join(ROOT, 'scripts/schemas.js');
  const { documentSchemas } = (await import(script)) as {
    documentSchemas(program: ts.Program): Map<string, string>;
  };
  const made = documentSchemas(programOf());
  for (const [name, text] of made)
    expect(structureOf(textOf(`schemas/${name}.schema.json`))).toEqual(structureOf(text));
  const there = readdirSync(join(ROOT, 'schemas')).map((one) => one.replace('.schema.json', ''));
  expect(there.sort()).toEqual([...made.keys(), 'config', 'recipe'].sort());
  const page = textOf('docs/json.md');
  for (const name of made.keys()) expect(page).toContain(`](../schemas/${name}.schema.json)`);
  for (const verb of VERBS) expect(page).toContain(`\`${verb}\``);
});

/** A schema without its descriptions, which may be reworded at any time. */
function structureOf(text: string): unknown {
  return JSON.parse(text, (key, value) => (key === 'description' && typeof value === 'string' ? undefined : value));
}
