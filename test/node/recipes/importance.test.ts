import { describe, expect, test } from '@jest/globals';
import { type DataPruneOptions, prunedByData, readModel, sparsity, transform } from '../../../src/index.node.ts';
import { fixture } from '../../support/cli.ts';

const MODEL = fixture('digits-mlp.onnx');
const data = fixture('digits-mlp-calib.npz');

describe('prunedByData', () => {
  test.each<DataPruneOptions>([
    { method: 'wanda', amount: 0.5, include: [/^fc1/] },
    { method: 'sparsegpt', amount: 0.5, damping: 0.1, include: [/^fc1/] },
  ])('prunes half of a weight, and reports the data and progress: %j', async (options) => {
    const runs: number[] = [];
    await using model = await readModel(MODEL);
    const onProgress = (done: number): void => void runs.push(done);
    const [report] = await transform(model, prunedByData(options, { data, samples: 32, onProgress }));
    expect(report?.changes.map((one) => one.weight)).toEqual(['fc1.weight']);
    expect(report?.notes.at(-1)).toMatch(/^(Wanda|SparseGPT) with .*32 samples.*, each layer after those before it$/);
    const found = (await sparsity(model)).find((one) => one.weight === 'fc1.weight');
    expect(found?.zeros).toBe((found?.elements ?? 0) / 2);
    expect(runs.length).toBeGreaterThan(0);
  });

  test('refuses wrong options before a model is read', () => {
    const half = { method: 'wanda', amount: 0.5 } as const;
    expect(() => prunedByData({ ...half, damping: 0.1 }, { data })).toThrow(/there is no option 'damping'/);
    expect(() => prunedByData({ ...half, method: 'l1' as 'wanda' }, { data })).toThrow(
      /method: 'l1' is not one of "wanda", "sparsegpt"/,
    );
    expect(() => prunedByData(half, {} as { data: string })).toThrow(/data: wanda needs activations/);
  });
});
