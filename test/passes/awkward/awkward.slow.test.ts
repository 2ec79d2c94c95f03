/** Every awkward graph runs in ONNX Runtime before and after, and computes nearly the same. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { type Model, prune, quantize } from '../../../src/index.node.ts';
import { buildModel, type ModelSpec } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';
import { toHalf } from '../../support/half.ts';
import { modelOf, pass } from '../../support/model.ts';
import { readNpz } from '../../support/npz.ts';
import { optimizedModel, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';
import type { Case } from './case.ts';
import { NESTING } from './nesting.ts';
import { PATHS } from './paths.ts';
import { PRODUCTS } from './products.ts';

const CASES: readonly (readonly [string, Case])[] = [...PATHS, ...PRODUCTS, ...NESTING].map((one) => [one.name, one]);

/** Random activations, small integers and true, for every input. */
function feeds(spec: ModelSpec): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(spec.inputs ?? {}).map(([name, { dtype, dims = [] }]) => {
      const shape = dims.map(Number);
      const data = randomFloats(shape, 7);
      if (dtype === 'bool') return [name, new Tensor('bool', [true], shape)];
      if (dtype === 'int64')
        return [
          name,
          new Tensor(
            'int64',
            BigInt64Array.from(data, (_, at) => BigInt(at)),
            shape,
          ),
        ];
      if (dtype === 'float16') return [name, new Tensor('float16', Uint16Array.from(data, toHalf), shape)];
      if (dtype === 'float64') return [name, new Tensor('float64', Float64Array.from(data), shape)];
      return [name, new Tensor('float32', Float32Array.from(data), shape)];
    }),
  );
}

function operators(model: Model): Set<string> {
  return new Set([...model.nodes()].map(({ node }) => node.opType));
}

/** The file of a case: its name in characters that every file system accepts. */
const fileOf = (name: string): string =>
  fixture(
    `awkward/${name
      .replaceAll(/[^a-zA-Z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .toLowerCase()}.onnx`,
  );

test('fixtures/awkward has every case as a file (UPDATE_FIXTURES=1 writes them)', () => {
  if (process.env['UPDATE_FIXTURES'])
    for (const [name, { spec }] of CASES) writeFileSync(fileOf(name), buildModel(spec));
  for (const [name, { spec }] of CASES)
    expect([name, readFileSync(fileOf(name))]).toEqual([name, Buffer.from(buildModel(spec))]);
  const files = readdirSync(fixture('awkward')).filter((name) => name.endsWith('.onnx'));
  expect(files.length).toBe(CASES.length);
});

test.each(CASES)(
  'quantize: %s',
  async (_, { spec, options, changed, skipped = [], has = [], hasNot = [], sqnr: least = 30 }) => {
    const bytes = buildModel(spec);
    const before = await runModel(bytes, feeds(spec));
    const { model, report, bytes: written } = await pass(bytes, quantize({ minElements: 0, ...options }));
    expect(report.changes.map((one) => one.weight)).toEqual(changed);
    expect(report.skips.map((one) => `${one.weight}: ${one.reason}`)).toEqual(skipped);
    const found = operators(model);
    expect(has.filter((one) => !found.has(one))).toEqual([]);
    expect(hasNot.filter((one) => found.has(one))).toEqual([]);
    for (const optimization of ['disabled', 'all'] as const) {
      const after = await runModel(written, feeds(spec), optimization);
      expect(sqnr(before, after)).toBeGreaterThan(least);
    }
    // Nothing is left to do: quantized weights are recognized.
    const again = await pass(written, quantize({ minElements: 0, ...options }));
    expect(again.report.changes).toEqual([]);
  },
);

test.each(CASES)('prune: %s', async (_, { spec }) => {
  const bytes = buildModel(spec);
  const before = await runModel(bytes, feeds(spec));
  const { report, bytes: written } = await pass(bytes, prune({ method: 'l1', amount: 0.02 }));
  const after = await runModel(written, feeds(spec));
  // The smallest fiftieth of the weights carries far less than a hundredth of the signal.
  expect(sqnr(before, after)).toBeGreaterThan(report.changes.length === 0 ? 200 : 20);
});

test('a model is the same after it is read again', async () => {
  for (const [, { spec }] of CASES) {
    const { bytes } = await pass(buildModel(spec), quantize({ minElements: 0 }));
    const model = await modelOf(bytes);
    expect(model.graph.nodes.length).toBeGreaterThan(0);
  }
});

test.each(['digits-mlp', 'digits-cnn', 'digits-vit'])(
  '%s as ONNX Runtime’s optimizer wrote it: its own operators stay, the standard ones are quantized',
  async (name) => {
    const { __labels__, ...rows } = await readNpz(fixture(`${name}-test.npz`));
    const optimized = await optimizedModel(fixture(`${name}.onnx`));
    const before = await runModel(optimized, rows);
    const theirs = [...(await modelOf(optimized)).nodes()].filter(({ node }) => node.domain !== '');
    const { model, bytes } = await pass(optimized, quantize({ minElements: 0, weightsOnly: name === 'digits-cnn' }));
    const left = [...model.nodes()].filter(({ node }) => node.domain !== '');
    expect(left.map(({ node }) => node.opType)).toEqual(theirs.map(({ node }) => node.opType));
    expect(sqnr(before, await runModel(bytes, rows))).toBeGreaterThan(30);
  },
);
