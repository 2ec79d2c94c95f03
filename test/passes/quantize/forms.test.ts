import { describe, expect, test } from '@jest/globals';
import { print, quantize } from '../../../src/index.node.ts';
import { buildModel } from '../../support/build.ts';
import { pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';
import { MATRIX_FORMS } from './matrixForms.ts';
import { OTHER_FORMS } from './otherForms.ts';

const FORMS = [...MATRIX_FORMS, ...OTHER_FORMS];

describe('writes the expected nodes', () => {
  test.each(FORMS.map((form) => [form.name, form] as const))('%s', async (_, { spec, options = {}, golden }) => {
    const source = buildModel(spec);
    const { model: quantized, bytes, report } = await pass(source, quantize({ minElements: 0, ...options }));
    const lines = print(quantized)
      .split('\n')
      .slice(2, -2)
      .map((line) => line.trim());
    expect(lines).toEqual(
      golden
        .trim()
        .split('\n')
        .map((line) => line.trim()),
    );
    expect(report.skips).toEqual([]);
    const x = spec.inputs?.['x'];
    const dims = (x?.dims ?? []) as number[];
    if (x?.dtype === 'float32') {
      const feeds = { x: feed(dims, randomFloats(dims, 9)) };
      expect(sqnr(await runModel(source, feeds), await runModel(bytes, feeds))).toBeGreaterThan(30);
    }
  });

  test.each(FORMS.map((form) => [form.name, form] as const))(
    'again changes nothing: %s',
    async (_, { spec, options = {} }) => {
      const first = await pass(spec, quantize({ minElements: 0, ...options }));
      const again = await pass(first.bytes, quantize({ minElements: 0, ...options }));
      expect(Buffer.compare(first.bytes, again.bytes)).toBe(0);
      expect(again.report.changes).toEqual([]);
      const products = spec.nodes.filter(
        (node) => node.op !== 'Gather' && node.in.some((name) => spec.initializers?.[name]?.dims.length === 2),
      );
      expect(again.report.skips.filter((skip) => skip.reason === 'already_quantized').length).toBeGreaterThanOrEqual(
        products.length,
      );
      expect(again.report.skips.filter((skip) => skip.reason !== 'already_quantized')).toEqual([]);
    },
  );
});
