/** Other programs compile against the built package, in strict mode, whatever they have installed. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ROOT } from '../support/cli.ts';

const PROGRAM = `
import { bytesSink, type PassReport, prune, quantize, readModel, type Tensor, transform, writeModel } from 'onnx-compress';

export async function shrink(bytes: Uint8Array): Promise<Uint8Array> {
  const model = await readModel(bytes);
  const reports: PassReport[] = await transform(model, prune({ method: 'l1', amount: 0.4 }), quantize());
  const sink = bytesSink();
  await writeModel(model, sink);
  const weight: Tensor | undefined = model.graph.initializers.get(reports[0]?.changes[0]?.weight ?? '');
  await model.close();
  return weight === undefined ? sink.bytes() : weight.load();
}
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'consumer-'));
  const own = join(folder, 'node_modules/onnx-compress');
  mkdirSync(own, { recursive: true });
  // A copy, like an installed package: its imports are resolved from its own folder or not at all.
  for (const part of ['dist', 'package.json']) cpSync(join(ROOT, part), join(own, part), { recursive: true });
  mkdirSync(join(folder, 'node_modules/@types'));
  for (const name of ['@types/node', 'undici-types'])
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'program.ts'), PROGRAM);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const RESOLUTIONS = [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
] as const;

const SETTINGS = RESOLUTIONS.flatMap(([module, moduleResolution]) => [
  { module, moduleResolution, types: [], customConditions: [] },
  { module, moduleResolution, types: ['node'], customConditions: ['browser'] },
]);

/**
 * Compiles the program with each of the settings, and prints the errors in it and in the declarations of the package.
 * The declarations of Node and of the language are read but not checked: that would take ten times as long.
 */
const COMPILER = `
  import ts from 'typescript';
  const { folder, settings } = JSON.parse(process.argv[1]);
  const FOREIGN = /\\/node_modules\\/(typescript|@types|undici-types)\\//;
  const found = settings.map((one) => {
    const plain = { ...one, strict: true, skipLibCheck: false, noEmit: true, target: 'es2022', lib: ['es2022'] };
    const { options, errors } = ts.convertCompilerOptionsFromJson(plain, folder);
    const program = ts.createProgram([folder + '/program.ts'], { ...options, configFilePath: folder + '/tsconfig.json' });
    const files = program.getSourceFiles().filter((file) => !FOREIGN.test(file.fileName));
    const said = [...errors, ...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()];
    for (const file of files) said.push(...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file));
    const names = files.map((file) => file.fileName.slice(folder.length + 1));
    return { names, said: said.map(({ file, messageText }) => [file?.fileName, ts.flattenDiagnosticMessageText(messageText, ' ')].join(': ')) };
  });
  console.log(JSON.stringify(found));`;

test('compiles in strict mode without skipLibCheck, with each module resolution, with and without the types of Node', () => {
  const done = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', COMPILER, JSON.stringify({ folder, settings: SETTINGS })],
    { encoding: 'utf8', cwd: ROOT },
  );
  expect(done.stderr).toBe('');
  const found = JSON.parse(done.stdout) as { names: string[]; said: string[] }[];
  expect(found.map((one) => one.said)).toEqual(SETTINGS.map(() => []));
  const dist = 'node_modules/onnx-compress/dist';
  for (const [index, { names }] of found.entries()) {
    const inBrowser = SETTINGS[index]?.customConditions.length === 1;
    expect(names).toContain('program.ts');
    expect(names.includes(`${dist}/index.node.d.ts`)).toBe(!inBrowser);
    expect(names).toContain(`${dist}/index.d.ts`);
  }
});
