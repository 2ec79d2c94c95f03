import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Layer, type Outcome, type SearchResult, searchFloatLayers } from '../../../src/passes/tune/search.ts';

const FLOAT_BYTES = 1_000_000;

function layersOf(saved: readonly number[]): Layer[] {
  return saved.map((one, index) => ({ name: `l${index}`, saved: one }));
}

/** A synthetic model in which every quantized layer adds its own noise. */
function additive(layers: readonly Layer[], noises: readonly number[]): (float: readonly string[]) => Outcome {
  return (float) => {
    const quantized = layers.filter((one) => !float.includes(one.name));
    const noise = quantized.reduce((sum, one) => sum + (noises[layers.indexOf(one)] ?? 0), 0);
    const saved = quantized.reduce((sum, one) => sum + one.saved, 0);
    return { metric: -noise, noise, bytes: FLOAT_BYTES - saved, quantized: quantized.map((one) => one.name) };
  };
}

interface Searched extends SearchResult {
  readonly asked: readonly string[];
}

/** Searches, and fails if a selection is tried twice. */
async function search(
  layers: readonly Layer[],
  outcome: (float: readonly string[]) => Outcome,
  least: number,
  maxTrials?: number,
): Promise<Searched> {
  const asked: string[] = [];
  const found = await searchFloatLayers(layers, {
    evaluate: async (float) => {
      const key = float.join(' ');
      expect(asked).not.toContain(key);
      asked.push(key);
      return outcome(float);
    },
    enough: (metric) => metric >= least,
    ...(maxTrials === undefined ? {} : { maxTrials }),
  });
  expect(found.trials.map((one) => one.float.join(' '))).toEqual(asked);
  return { ...found, asked };
}

describe('searchFloatLayers', () => {
  test('needs one trial if quantizing everything is good enough', async () => {
    const layers = layersOf([10, 20, 30]);
    const { best, asked, ranking } = await search(layers, additive(layers, [1, 2, 3]), -6);
    expect(best?.float).toEqual([]);
    expect(asked).toEqual(['']);
    expect(ranking).toEqual([]);
  });

  test('finds the one harmful layer among many, in few trials', async () => {
    const layers = layersOf(Array.from({ length: 64 }, (_, index) => 100 + index));
    const noises = layers.map((_, index) => (index === 41 ? 5 : 0.001));
    const { best, asked, ranking } = await search(layers, additive(layers, noises), -1);
    expect(best?.float).toEqual(['l41']);
    expect(ranking[0]).toEqual({ name: 'l41', saved: 141, noise: 5 });
    // Everything, 64 single layers, and a bisection over 64; only the empty selection remains to be tried.
    expect(asked.length).toBeLessThanOrEqual(1 + 64 + 6);
  });

  test('ranks by noise per byte: keeps two small layers float, not a large one as noisy as both', async () => {
    const layers = layersOf([1000, 10, 10, 500]);
    const { best, ranking } = await search(layers, additive(layers, [4, 2, 2, 0.1]), -4.5);
    expect(ranking.map((one) => one.name)).toEqual(['l1', 'l2', 'l0', 'l3']);
    expect(best?.float).toEqual(['l1', 'l2']);
  });

  test('quantizes a layer that stayed float only because it was early in the ranking', async () => {
    // l0 has the most noise per byte, but only l1 breaks the metric.
    const layers = layersOf([1, 100, 100]);
    const { best } = await search(layers, additive(layers, [1, 50, 0.5]), -2);
    expect(best?.float).toEqual(['l1']);
  });

  test('quantizes another single layer if the last of the ranking is too noisy', async () => {
    // The huge l2 is last by noise per byte, but its noise alone exceeds the budget.
    const layers = layersOf([10, 10, 100_000]);
    const { best } = await search(layers, additive(layers, [1, 2, 90]), -1.5);
    expect(best?.float).toEqual(['l1', 'l2']);
    expect(best?.quantized).toEqual(['l0']);
  });

  test('gives no answer if no selection is good enough; leaving everything float is not one', async () => {
    const layers = layersOf([10, 20]);
    const { best, asked } = await search(layers, additive(layers, [5, 5]), -1);
    expect(best).toBeUndefined();
    expect(asked).toEqual(['', 'l1', 'l0']);
    const one = layersOf([10]);
    expect((await search(one, additive(one, [5]), -1)).asked).toEqual(['']);
  });

  test('ranks a layer that is never quantized alone by the gain of keeping it float', async () => {
    const layers = layersOf([100, 100, 100]);
    const whole = additive(layers, [0.1, 3, 0.2]);
    // Integer islands of one layer do not occur.
    const islands = (float: readonly string[]): Outcome =>
      float.length === 2 ? { metric: 0, noise: 0, bytes: FLOAT_BYTES, quantized: [] } : whole(float);
    const { best, ranking } = await search(layers, islands, -0.5);
    expect(best?.float).toEqual(['l1']);
    expect(ranking.map((one) => [one.name, Number(one.noise.toFixed(6))])).toEqual([
      ['l1', 3],
      ['l2', 0.2],
      ['l0', 0.1],
    ]);
  });

  test('handles infinite noise everywhere', async () => {
    const layers = layersOf([100, 50]);
    const broken = (float: readonly string[]): Outcome => {
      const quantized = layers.map((one) => one.name).filter((one) => !float.includes(one));
      const bad = quantized.includes('l1');
      return { metric: bad ? Number.NaN : 0, noise: bad ? Infinity : 0, bytes: FLOAT_BYTES, quantized };
    };
    const { best, ranking } = await search(layers, broken, -1);
    expect(best?.float).toEqual(['l1']);
    expect(ranking[0]?.name).toBe('l1');
  });

  test('limits trials, and answers with the best so far', async () => {
    const layers = layersOf([10, 20, 30, 40]);
    const outcome = additive(layers, [9, 1, 1, 1]);
    const none = await search(layers, outcome, -0.5, 3);
    expect(none).toMatchObject({ best: undefined, cutShort: true });
    expect(none.asked).toHaveLength(3);
    const some = await search(layers, outcome, -1, 3);
    expect(some.best?.quantized).toEqual(['l1']);
    expect(some.cutShort).toBe(true);
    expect((await search(layers, outcome, -3, 20)).cutShort).toBe(false);
  });

  test('reports more planned than finished trials', async () => {
    const layers = layersOf([1, 2, 3, 4, 5]);
    const seen: (readonly [number, number])[] = [];
    const noises = additive(layers, [5, 4, 3, 2, 1]);
    await searchFloatLayers(layers, {
      evaluate: async (float) => noises(float),
      enough: (metric) => metric >= -4,
      onTrial: (done, planned) => seen.push([done, planned]),
    });
    expect(seen.map(([done]) => done)).toEqual(seen.map((_, index) => index + 1));
    for (const [done, planned] of seen) expect(planned).toBeGreaterThan(done);
  });

  test('refuses equal names', async () => {
    const twice = [...layersOf([1]), ...layersOf([1])];
    await expect(search(twice, additive(twice, [1, 1]), 0)).rejects.toMatchObject({ code: 'options' });
  });
});

describe('searchFloatLayers on random models', () => {
  const list = fc.array(
    fc.record({ saved: fc.integer({ min: 1, max: 1000 }), noise: fc.integer({ min: 0, max: 100 }) }),
    {
      minLength: 1,
      maxLength: 24,
    },
  );

  test('for additive noise answers if an answer exists, and none of its float layers could be quantized', async () => {
    await fc.assert(
      fc.asyncProperty(list, fc.integer({ min: 0, max: 600 }), async (specs, budget) => {
        const layers = layersOf(specs.map((one) => one.saved));
        const noises = specs.map((one) => one.noise);
        const outcome = additive(layers, noises);
        const { best, asked } = await search(layers, outcome, -budget);
        expect(best !== undefined).toBe(noises.some((one) => one <= budget));
        for (const name of best?.float ?? []) {
          const fewer = best?.float.filter((one) => one !== name) ?? [];
          expect(outcome(fewer).metric).toBeLessThan(-budget);
        }
        const n = layers.length;
        expect(asked.length).toBeLessThanOrEqual(1 + n + Math.ceil(Math.log2(n + 1)) + 4 * n);
      }),
      { numRuns: 300 },
    );
  });

  test('is within a third of the best of all selections of up to ten layers', async () => {
    let worst = 1;
    const few = fc.array(
      fc.record({ saved: fc.integer({ min: 50, max: 1000 }), noise: fc.integer({ min: 0, max: 100 }) }),
      { minLength: 2, maxLength: 10 },
    );
    await fc.assert(
      fc.asyncProperty(few, fc.integer({ min: 20, max: 300 }), async (specs, budget) => {
        const layers = layersOf(specs.map((one) => one.saved));
        const outcome = additive(
          layers,
          specs.map((one) => one.noise),
        );
        const { best } = await search(layers, outcome, -budget);
        if (best === undefined) return;
        let most = 0;
        for (let bits = 0; bits < 1 << layers.length; bits++) {
          const tried = outcome(layers.filter((_, index) => (bits >> index) & 1).map((one) => one.name));
          if (tried.metric >= -budget) most = Math.max(most, FLOAT_BYTES - tried.bytes);
        }
        worst = Math.min(worst, (FLOAT_BYTES - best.bytes) / most);
      }),
      { numRuns: 200, seed: 1 },
    );
    expect(worst).toBeGreaterThan(0.66);
  });

  test('for random metrics answers with the smallest trial that is good enough', async () => {
    await fc.assert(
      fc.asyncProperty(list, fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), async (specs, seed, least) => {
        const layers = layersOf(specs.map((one) => one.saved));
        const outcome = (float: readonly string[]): Outcome => {
          let hash = seed | 0;
          for (const char of float.join(' ')) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
          const chance = ((hash >>> 0) % 1000) / 1000;
          const quantized = layers.map((one) => one.name).filter((one) => !float.includes(one));
          const kept = quantized.filter((_, index) => ((hash >>> 3) + index) % 7 !== 0);
          return {
            metric: chance,
            noise: (hash >>> 9) % 5 === 0 ? Infinity : chance,
            bytes: hash >>> 0,
            quantized: kept,
          };
        };
        const { best, trials, asked } = await search(layers, outcome, least);
        const good = trials.filter((one) => one.metric >= least && one.quantized.length > 0);
        expect(best?.bytes).toBe(good.length === 0 ? undefined : Math.min(...good.map((one) => one.bytes)));
        expect(asked.length).toBeLessThan(4 + 12 * layers.length * Math.ceil(Math.log2(layers.length + 2)));
      }),
      { numRuns: 300 },
    );
  });
});
