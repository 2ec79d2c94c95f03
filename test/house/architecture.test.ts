/** The six sentences of docs/architecture.md. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  bytesSink,
  derived,
  type Model,
  type Pass,
  prune,
  quantize,
  readModel,
  transform,
  writeModel,
} from '../../src/index.node.ts';

const root = new URL('../..', import.meta.url).pathname;
const fixture = (name: string): string => join(root, 'fixtures', name);
const FIXTURES = ['mymodel.onnx', 'digits-mlp.onnx', 'digits-cnn-bn.onnx', 'digits-vit.onnx', 'edge/opset9.onnx'];

async function written(model: Model): Promise<Buffer> {
  const sink = bytesSink();
  await writeModel(model, sink);
  return Buffer.from(sink.bytes());
}

async function run(path: string, ...passes: Pass[]): Promise<Buffer> {
  const model = await readModel(path);
  try {
    await transform(model, ...passes);
    return await written(model);
  } finally {
    await model.close();
  }
}

/** Import specifiers of every file in a folder of `src`. */
function imports(room: string): string[] {
  const folder = join(root, 'src', room);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/from '([^']+)'/g)].map((one) => one[1] ?? ''),
    );
}

describe('docs/architecture.md', () => {
  test('1. a byte nobody touched is copied, not re-encoded', async () => {
    const input = readFileSync(fixture('digits-mlp.onnx'));
    expect(input.equals(await run(fixture('digits-mlp.onnx')))).toBe(true);
    const output = await run(
      fixture('digits-mlp.onnx'),
      prune({ method: 'l1', amount: 0.5, include: [/^fc1\.weight$/] }),
    );
    expect(output.length).toBe(input.length);
    const changed = [...output.keys()].filter((at) => output[at] !== input[at]);
    const [first = 0, last = 0] = [changed[0], changed.at(-1)];
    // All differences are within the one pruned tensor: 65,536 bytes and a header of its own.
    expect(changed.length).toBeGreaterThan(20_000);
    expect(last - first).toBeLessThan(65_536 + 64);
  });

  test('2. a weight is in memory only while one kernel or the writer holds it', async () => {
    const model = await readModel(fixture('digits-mlp.onnx'));
    const events: string[] = [];
    for (const tensor of [...model.graph.initializers.values()].filter((one) => one.dims.length === 2)) {
      const load = async (): Promise<Uint8Array> => {
        events.push(`load ${tensor.name}`);
        const bytes = await tensor.load();
        setImmediate(() => events.push(`loaded ${tensor.name}`));
        return bytes;
      };
      model.graph.setInitializer(derived(tensor.name, tensor.dtype, tensor.dims, load));
    }
    const sink = bytesSink();
    const slow = {
      ...sink,
      async write(chunk: Uint8Array): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 2));
        await sink.write(chunk);
      },
    };
    await writeModel(model, slow);
    expect(events.filter((one) => one.startsWith('load '))).toHaveLength(3);
    // Each is loaded only after the one before it was written.
    expect(events.map((one) => one.split(' ')[0])).toEqual(['load', 'loaded', 'load', 'loaded', 'load', 'loaded']);
    await model.close();
  });

  test('3. leaves are immutable; only Graph and Model change, and only through their methods', async () => {
    const model = await readModel(fixture('digits-vit.onnx'));
    const text = (value: unknown): string =>
      JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one));
    const nodes = model.graph.nodes.map((node) => [node, text(node)] as const);
    const tensors = [...model.graph.initializers.values()].map((tensor) => [tensor, text(tensor)] as const);
    await transform(model, prune({ method: 'l1', amount: 0.3 }), quantize());
    for (const [leaf, before] of [...nodes, ...tensors]) expect(text(leaf)).toBe(before);
    expect(model.graph.nodes).not.toHaveLength(nodes.length);
    await model.close();
  });

  test('4. passes know no protobuf, no files and no terminal; kernels know no ONNX', () => {
    const passes = imports('passes').filter((one) => !one.startsWith('./'));
    expect(passes.length).toBeGreaterThan(10);
    for (const one of passes)
      expect(one).toMatch(
        /^(\.\.\/)+(activations|bytes|ir|kernels|errors|compute|constants|copy|fold|schemes|layers|targets|options|[a-z]+\.ts|float16|importance|inline|inspect|opset|pack|prune|quantize)|^pure-rand\//,
      );
    const kernels = imports('kernels').filter((one) => !one.startsWith('./'));
    for (const one of kernels) expect(one).toMatch(/^(\.\.\/)+((simd|lowbits)\/)?[a-zA-Z]+\.ts$/);
  });

  test.each(FIXTURES)('5. a pass reports what it changed and what it skipped and why: %s', async (name) => {
    for (const pass of [
      prune({ method: 'l1', amount: 0.5, include: [/nothing/] }),
      prune({ method: 'l1', amount: 0.5 }),
      quantize(),
    ]) {
      const model = await readModel(fixture(name));
      const weights = model.graph.nodes
        .filter((node) => ['Gemm', 'MatMul', 'Conv'].includes(node.opType))
        .flatMap((node) => node.inputs.slice(0, 2).filter((one) => model.graph.constant(one) !== undefined));
      const [report] = await transform(model, pass);
      const spoken = new Set([...(report?.changes ?? []), ...(report?.skips ?? [])].map((one) => one.weight));
      expect(weights.length).toBeGreaterThan(0);
      expect(weights.filter((one) => !spoken.has(one))).toEqual([]);
      for (const skip of report?.skips ?? []) expect(skip.detail.length).toBeGreaterThan(10);
      await model.close();
    }
  });

  test('6. stdout carries the model and nothing else; people read stderr', async () => {
    const input = readFileSync(fixture('mymodel.onnx'));
    const ran = spawnSync(process.execPath, [join(root, 'bin/compress.js'), 'quantize', '--int8'], { input });
    expect(ran.status).toBe(0);
    expect(ran.stdout.equals(await run(fixture('mymodel.onnx'), quantize()))).toBe(true);
    expect(ran.stderr.toString()).toContain('quantize: 2 weights');
  });
});
