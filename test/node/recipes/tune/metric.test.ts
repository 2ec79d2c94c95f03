import { describe, expect, test } from '@jest/globals';
import type { Change } from '../../../../src/layers/skip.ts';
import { changedLayers, exactly } from '../../../../src/node/recipes/tune/layers.ts';
import { type MetricOptions, metricFor, noiseOf } from '../../../../src/node/recipes/tune/metric.ts';
import type { OutputFigures } from '../../../../src/node/runtime/compare.ts';

const NOTHING: MetricOptions = {};

function output(name: string, fields: Partial<OutputFigures> = {}): OutputFigures {
  const nonFinite = { reference: 0, other: 0, differing: 0 };
  return { name, dtype: 'float32', elements: 10, sqnr: 30, cosine: 1, maxAbsError: 0, nonFinite, ...fields };
}
const share = (count: number, of: number) => ({ count, of });
const labelled = (name: string, reference: number, other: number): OutputFigures =>
  output(name, { top1: share(95, 100), accuracy: { reference: share(reference, 100), other: share(other, 100) } });

describe('metricFor', () => {
  test('chooses accuracy if there are labels, else top-1, and SQNR on request', () => {
    const plain = output('y', { top1: share(99, 100) });
    expect(metricFor([labelled('y', 90, 90)], NOTHING).name).toBe('accuracy');
    expect(metricFor([plain], NOTHING).name).toBe('top1');
    expect(metricFor([labelled('y', 90, 90)], { ...NOTHING, minSqnr: 30 }).name).toBe('sqnr');
    expect(metricFor([labelled('y', 90, 90)], { ...NOTHING, metric: 'top1' }).name).toBe('top1');
  });

  test('accuracy: counts the points lost against the float model; exactly the limit is enough', () => {
    const metric = metricFor([labelled('y', 91, 91)], { ...NOTHING, maxDrop: 0.03 });
    const judged = (other: number) => metric.enough(metric.of([labelled('y', 91, other)]));
    expect([judged(95), judged(91), judged(88), judged(87)]).toEqual([true, true, true, false]);
    expect(metric.limit).toEqual({ maxDrop: 0.03 });
    expect(metric.figures([labelled('y', 91, 88)])).toEqual({ value: 0.88, rows: share(88, 100), change: -0.03 });
    expect(metric.figures([labelled('y', 91, 92)])).toEqual({ value: 0.92, rows: share(92, 100), change: 0.01 });
  });

  test('accuracy: of several outputs that fit the labels, takes the one that is right most often', () => {
    const outputs = (hidden: number, logits: number) => [labelled('hidden', 3, hidden), labelled('logits', 97, logits)];
    const metric = metricFor(outputs(3, 97), NOTHING);
    expect(metric.enough(metric.of(outputs(0, 97)))).toBe(true);
    expect(metric.enough(metric.of(outputs(3, 90)))).toBe(false);
    const hidden = metricFor(outputs(3, 97), { ...NOTHING, judge: 'hidden' });
    expect(hidden.enough(hidden.of(outputs(0, 97)))).toBe(false);
  });

  test('top-1 and SQNR: takes the worst output', () => {
    const two = [output('a', { top1: share(99, 100), sqnr: 40 }), output('b', { top1: share(97, 100), sqnr: 20 })];
    const top1 = metricFor(two, { ...NOTHING, maxDrop: 0.02 });
    expect([top1.of(two), top1.enough(top1.of(two))]).toEqual([0.97, false]);
    expect(top1.enough(0.98)).toBe(true);
    expect(top1.figures(two)).toEqual({ value: 0.97, rows: share(97, 100), change: 0.97 - 1 });
    const sqnr = metricFor(two, { ...NOTHING, minSqnr: 21 });
    expect([sqnr.of(two), sqnr.enough(20), sqnr.enough(21)]).toEqual([20, false, true]);
    expect([sqnr.limit, sqnr.figures(two)]).toEqual([{ minSqnr: 21 }, { value: 20 }]);
    expect(metricFor(two, { ...NOTHING, minSqnr: 21, judge: 'a' }).of(two)).toBe(40);
  });

  test('refuses metrics that model and data do not allow', () => {
    const plain = [output('y')];
    const wrong = (outputs: OutputFigures[], options: Partial<MetricOptions>, message: RegExp) =>
      expect(() => metricFor(outputs, { ...NOTHING, ...options })).toThrow(message);
    wrong(plain, { metric: 'accuracy' }, /^metric: accuracy: the data has no labels/);
    wrong(plain, { metric: 'top1' }, /^metric: top1: no output has classes/);
    wrong([output('k', { dtype: 'int64' })], { minSqnr: 3 }, /^metric: sqnr: no output has a float type/);
    wrong(plain, {}, /^minSqnr: the metric is sqnr, and no limit is given/);
    wrong(plain, { maxDrop: 0.1 }, /^maxDrop: the metric is sqnr/);
    wrong([labelled('y', 1, 1)], { metric: 'accuracy', minSqnr: 3 }, /^minSqnr: the metric is accuracy/);
    wrong(plain, { judge: 'z', minSqnr: 3 }, /^judge: the model has no output 'z'/);
  });
});

test('states for the next step count only if they are named, or alone', () => {
  const outputs = [output('y', { sqnr: 40 }), output('present.0', { sqnr: 5, cache: true })];
  const least = (given: OutputFigures[], options: Partial<MetricOptions> = {}) =>
    metricFor(given, { ...NOTHING, minSqnr: 20, ...options }).of(given);
  expect(least(outputs)).toBe(40);
  expect(least(outputs, { judge: 'present.0' })).toBe(5);
  expect(least(outputs.slice(1))).toBe(5);
  expect(noiseOf(outputs, undefined)).toBeCloseTo(1e-4, 12);
});

test('noise is the power of the error over the power of the signal, summed over float outputs', () => {
  const outputs = [output('a', { sqnr: 20 }), output('b', { sqnr: 30 }), output('k', { dtype: 'int64', sqnr: 0 })];
  expect(noiseOf(outputs, undefined)).toBeCloseTo(0.011, 12);
  expect(noiseOf(outputs, 'b')).toBeCloseTo(0.001, 12);
  expect(noiseOf([output('a', { sqnr: Infinity })], undefined)).toBe(0);
  expect(noiseOf([output('a', { sqnr: -Infinity })], undefined)).toBe(Infinity);
  expect(noiseOf([output('k', { dtype: 'int64', sqnr: 10 })], undefined)).toBeCloseTo(0.1, 12);
});

test('a name escaped as a regular expression matches only itself', () => {
  const names = ['fc1.weight', '/a/(b)/[c]{2}|d', '^x$', 'a\\b*c+?', 'é\nü', '-', '\udc80', ''];
  for (const one of names) {
    const pattern = new RegExp(exactly(one), 'u');
    for (const other of [...names, `${one}x`, `x${one}`, 'fc1xweight']) {
      expect([one, other, pattern.test(other)]).toEqual([one, other, one === other]);
    }
  }
});

test('weights with the same name are one layer', () => {
  const change = (weight: string, before: number, after: number) => ({ weight, before, after }) as Change;
  expect(changedLayers([change('a', 100, 30), change('b', 50, 20), change('a', 10, 5)])).toEqual([
    { name: 'a', saved: 75 },
    { name: 'b', saved: 30 },
  ]);
});
