/** The forms that quantize writes are restored to float. */
import { describe, expect, test } from '@jest/globals';
import { dequantize, type Model, print, quantize } from '../../../src/index.node.ts';
import { findStored } from '../../../src/schemes/chains.ts';
import { buildModel, type ModelSpec } from '../../support/build.ts';
import { modelOf, pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';
import { MATRIX_FORMS } from '../quantize/matrixForms.ts';
import { OTHER_FORMS } from '../quantize/otherForms.ts';
import { integerTypes } from './support.ts';

const FORMS = [...MATRIX_FORMS, ...OTHER_FORMS];

const feedsOf = (spec: ModelSpec) => {
  const x = spec.inputs?.['x'];
  const dims = (x?.dims ?? []) as number[];
  return x?.dtype === 'float32' ? { x: feed(dims, randomFloats(dims, 9)) } : undefined;
};

describe.each(FORMS.map((form) => [form.name, form] as const))('%s', (_, { spec, options = {} }) => {
  test('is float again', async () => {
    const small = await pass(spec, quantize({ minElements: 0, ...options }));
    const { model, bytes, report } = await pass(small.bytes, dequantize());
    expect(integerTypes(model)).toEqual([]);
    expect(report.skips).toEqual([]);
    expect(report.changes.length).toBeGreaterThan(0);
    const feeds = feedsOf(spec);
    if (feeds === undefined) return;
    const [float, quantized, back] = await Promise.all(
      [buildModel(spec), small.bytes, bytes].map((one) => runModel(one, feeds)),
    );
    if (float === undefined || quantized === undefined || back === undefined) throw new Error('not run');
    expect(sqnr(float, back)).toBeGreaterThan(35);
    // With float activations, only the order of sums differs.
    expect(sqnr(quantized, back)).toBeGreaterThan(options.weightsOnly ? 110 : 30);
  });
});

test.each(FORMS.map((form) => [form.name, form] as const))(
  'weights are what their integers stood for: %s',
  async (_, form) => {
    const { spec, options = {} } = form;
    const small = await modelOf((await pass(spec, quantize({ minElements: 0, ...options }))).bytes);
    const { model } = await pass((await pass(spec, quantize({ minElements: 0, ...options }))).bytes, dequantize());
    for (const name of Object.keys(spec.initializers ?? {})) {
      const stored = findStored(small.graph, name);
      const tensor = floatNamed(model, name);
      if (stored === undefined || tensor === undefined || tensor.dtype !== 'float32') continue;
      const expected: number[] = [];
      for await (const chunk of stored.reals()) expected.push(...chunk);
      const found = new Float32Array(Uint8Array.from(await tensor.load()).buffer);
      expect([...found]).toEqual(expected);
    }
  },
);

const floatNamed = (model: Model, name: string) => model.graph.initializers.get(name);

test('restores the nodes, names and types of a whole float model', async () => {
  const spec = FORMS.find((one) => one.name === 'MatMul')?.spec;
  if (spec === undefined) throw new Error('no form');
  for (const options of [{}, { format: 'qoperator' }, { weightsOnly: true }, { dtype: 'uint8' }] as const) {
    const small = await pass(spec, quantize({ minElements: 0, ...options }));
    const { model } = await pass(small.bytes, dequantize());
    expect(print(model)).toBe(print(await modelOf(spec)));
  }
});
