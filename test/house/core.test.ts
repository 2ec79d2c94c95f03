/** The core runs without Node: bundled for a browser, in a V8 context without Node's globals. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { beforeAll, expect, test } from '@jest/globals';
import { type BuildResult, build } from 'esbuild';
import { bytesSink, prune, quantize, readModel, transform, writeModel } from '../../src/index.node.ts';
import { fixture, ROOT } from '../support/cli.ts';

/** The globals of browsers and workers that the core uses. */
const WEB = Object.fromEntries(
  ['TextEncoder', 'TextDecoder', 'WebAssembly', 'performance', 'atob'].map((name) => [
    name,
    Reflect.get(globalThis, name),
  ]),
);

const METHODS = [
  { name: 'each weight by itself', amount: 0.4, scope: 'tensor' },
  { name: 'all weights under one threshold', amount: 0.6, scope: 'global' },
] as const;

let bundle: BuildResult<{ write: false; metafile: true }>;
beforeAll(async () => {
  bundle = await build({
    entryPoints: [join(ROOT, 'src/index.ts')],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'core',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
});

test('bundles for a browser without importing Node, ONNX Runtime or terminal code', () => {
  const inputs = Object.keys(bundle.metafile.inputs);
  expect(inputs.length).toBeGreaterThan(100);
  expect(inputs.filter((path) => /^src\/(node|cli)\/|onnxruntime|tinypool|yargs|chalk|^node:/.test(path))).toEqual([]);
  const imports = Object.values(bundle.metafile.outputs).flatMap((one) => one.imports);
  expect(imports).toEqual([]);
});

test.each(METHODS)('prune ($name) and quantize give the same bytes without Node', async (one) => {
  const bytes = readFileSync(fixture('digits-vit.onnx'));
  const options = { method: 'l1', amount: one.amount, scope: one.scope } as const;
  const model = await readModel(bytes);
  await transform(model, prune(options), quantize());
  const sink = bytesSink();
  await writeModel(model, sink);

  const context = createContext({ ...WEB, options });
  runInContext(bundle.outputFiles[0]?.text ?? '', context);
  const input: unknown = runInContext('(length) => new Uint8Array(length)', context)(bytes.byteLength);
  (input as Uint8Array).set(bytes);
  Object.assign(context, { input });
  const result: unknown = await runInContext(
    `(async () => {
      if (typeof process !== 'undefined' || typeof Buffer !== 'undefined') throw new Error('this is Node');
      const { readModel, transform, prune, quantize, writeModel, bytesSink } = core;
      const model = await readModel(input);
      await transform(model, prune(options), quantize());
      const sink = bytesSink();
      await writeModel(model, sink);
      return sink.bytes();
    })()`,
    context,
  );
  expect(Buffer.from(result as Uint8Array).equals(Buffer.from(sink.bytes()))).toBe(true);
});

test('refuses a file that is not a model with a sentence', async () => {
  await expect(readModel(7 as never)).rejects.toThrow(
    'readModel: expects a path, a file URL, bytes or a Source; number',
  );
  await expect(readModel(new Map() as never)).rejects.toThrow('Map was given');
  await expect(readModel(undefined as never)).rejects.toThrow('undefined was given');
  await expect(readModel(new URL('https://example.org/m.onnx'))).rejects.toThrow('is not a file: download it first');
});

test('reads a model from a file URL and from an ArrayBuffer, and closes it', async () => {
  const path = fixture('digits-mlp.onnx');
  const bytes = readFileSync(path);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  for (const input of [new URL(`file://${path}`), buffer]) {
    await using model = await readModel(input);
    expect(model.graph.nodes).toHaveLength(5);
  }
  const closed = await readModel(path);
  const [weight] = closed.graph.initializers.values();
  await closed[Symbol.asyncDispose]();
  await expect(weight?.load()).rejects.toThrow();
});
