import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { prune, sparsegpt, wanda } from '../../../src/index.node.ts';
import { accuracyOf, fixturePath, prunedBy } from '../../support/digits.ts';

interface Recorded {
  readonly model: string;
  readonly method: 'wanda' | 'sparsegpt';
  readonly amount: number;
  readonly pattern: readonly [number, number] | null;
  readonly accuracy: number;
  readonly layers: readonly {
    readonly weight: string;
    readonly zeros: string;
    readonly sum: number;
    readonly squares: number;
    readonly first: readonly number[];
  }[];
}

const { cases } = JSON.parse(readFileSync(fixturePath('reference/importance-torch.json'), 'utf8')) as {
  cases: readonly Recorded[];
};

/** Weights with nearly equal scores may be chosen differently on another processor. */
const MAY_DIFFER = 0.002;

describe.each(cases)('$model, $method $amount, $pattern', ({ model, method, amount, pattern, accuracy, layers }) => {
  test('gives the result of PyTorch, layer by layer', async () => {
    const options = pattern === null ? { amount } : { amount, pattern: { keep: pattern[0], of: pattern[1] } };
    const make = { wanda, sparsegpt }[method];
    const { bytes, weights, report } = await prunedBy(model, (activations) => make(options, activations));
    expect(report.skips).toEqual([]);
    expect(report.changes.map((one) => one.weight)).toEqual(layers.map((one) => one.weight));
    for (const { weight, zeros, sum, squares, first } of layers) {
      const found = weights.get(weight) ?? new Float32Array(0);
      const bits = Buffer.from(zeros, 'base64');
      let [wrong, total, power] = [0, 0, 0];
      found.forEach((value, index) => {
        const zero = (((bits[index >> 3] as number) >> (index & 7)) & 1) === 1;
        if ((value === 0) !== zero) wrong++;
        total += value;
        power += value * value;
      });
      expect(found.length).toBeGreaterThan(0);
      expect(wrong).toBeLessThanOrEqual(Math.floor(MAY_DIFFER * found.length));
      if (wrong > 0) continue;
      expect(power / squares).toBeCloseTo(1, 4);
      expect(total).toBeCloseTo(sum, 2);
      first.forEach((value, index) => {
        expect(found[index]).toBeCloseTo(value, 4);
      });
    }
    expect(Math.abs((await accuracyOf(model, bytes)) - accuracy)).toBeLessThan(0.01);
  });
});

describe('accuracy of trained models', () => {
  const l1 = (model: string, amount: number, exclude: readonly RegExp[] = []): Promise<number> =>
    score(model, () => prune({ method: 'l1', amount, exclude }));
  const score = async (model: string, make: Parameters<typeof prunedBy>[1]): Promise<number> =>
    accuracyOf(model, (await prunedBy(model, make)).bytes);

  test('digits-mlp, 80 %: SparseGPT keeps 96 %, where magnitude keeps 68 %', async () => {
    expect(await score('digits-mlp', (one) => sparsegpt({ amount: 0.8 }, one))).toBeGreaterThanOrEqual(0.96);
    expect(await l1('digits-mlp', 0.8)).toBeLessThan(0.75);
  });

  test('digits-vit, 60 %: SparseGPT is better than Wanda and magnitude', async () => {
    const compensated = await score('digits-vit', (one) => sparsegpt({ amount: 0.6 }, one));
    expect(compensated).toBeGreaterThan(0.9);
    expect(compensated).toBeGreaterThan((await l1('digits-vit', 0.6)) + 0.04);
    expect(compensated).toBeGreaterThan((await score('digits-vit', (one) => wanda({ amount: 0.6 }, one))) + 0.04);
  });

  // The papers prune only the blocks of a transformer.
  test('digits-vit, 50 % of its blocks: SparseGPT is better than Wanda, and Wanda than magnitude', async () => {
    const exclude = [/^val_13$/, /^head/];
    const compensated = await score('digits-vit', (one) => sparsegpt({ amount: 0.5, exclude }, one));
    const weighed = await score('digits-vit', (one) => wanda({ amount: 0.5, exclude }, one));
    const plain = await l1('digits-vit', 0.5, exclude);
    expect(compensated).toBeGreaterThan(weighed + 0.01);
    expect(weighed).toBeGreaterThan(plain + 0.01);
  });

  test('digits-cnn, 50 %: gives the same order', async () => {
    const compensated = await score('digits-cnn', (one) => sparsegpt({ amount: 0.5 }, one));
    const weighed = await score('digits-cnn', (one) => wanda({ amount: 0.5 }, one));
    expect(compensated).toBeGreaterThan(weighed + 0.01);
    expect(weighed).toBeGreaterThan((await l1('digits-cnn', 0.5)) + 0.01);
  });
});
