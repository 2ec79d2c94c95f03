/** Programs of others compile against the built package, strictly, whatever they have installed. */
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
  // A copy, as an installed package is: what it imports is found from its own folder or not at all.
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

test.each(
  RESOLUTIONS.flatMap(([module, resolution]) => [
    { module, resolution, types: [], conditions: [] },
    { module, resolution, types: ['node'], conditions: ['browser'] },
  ]),
)('tsc --strict, skipLibCheck off: $module $resolution, types $types, conditions $conditions', (one) => {
  const compilerOptions = {
    ...{ strict: true, skipLibCheck: false, noEmit: true, target: 'es2022', lib: ['es2022'] },
    ...{ module: one.module, moduleResolution: one.resolution, types: one.types, customConditions: one.conditions },
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  const done = spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder], {
    encoding: 'utf8',
  });
  expect([done.status, done.stdout]).toEqual([0, '']);
});
