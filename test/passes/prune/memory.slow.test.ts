import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { constant, derived, type PruneOptions, prune } from '../../../src/index.node.ts';
import { modelOf } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';
import { file, model } from './support.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MASK = new Array(8).fill(1).fill(0, 0, 3);
const SCORES = file({
  'fc.weight': [
    [2, 4],
    [1, 2, 3, 4, 5, 6, 7, 8],
  ],
});

describe('weights are not kept in memory until the model is written', () => {
  test.each<[string, PruneOptions]>([
    ['single weights', { method: 'l1', amount: 3 }],
    ['all together', { method: 'l1', amount: 3, scope: 'global' }],
    ['by chance', { method: 'random', amount: 3 }],
    ['by chance, of what remains', { method: 'random', amount: 3, of: 'remaining' }],
    ['all by chance', { method: 'random', amount: 3, scope: 'global' }],
    ['slices', { method: 'l2', amount: 1, axis: 'in' }],
    ['groups', { method: 'l1', nm: { keep: 2, group: 4 } }],
    ['masks', { method: 'mask', masks: file({ 'fc.weight': [[2, 4], MASK] }) }],
    ['scores', { method: 'l1', amount: 3, scores: SCORES }],
    ['scores of slices', { method: 'l1', amount: 1, axis: 0, scores: SCORES }],
  ])('%s', async (_, options) => {
    const read = await modelOf(model());
    const seen: WeakRef<ArrayBufferLike>[] = [];
    const load = async (): Promise<Uint8Array> => {
      const data = randomFloats([2, 4], 3);
      seen.push(new WeakRef(data.buffer));
      return new Uint8Array(data.buffer);
    };
    read.graph.setInitializer(derived('fc.weight', 'float32', [2, 4], load));
    read.graph.setInitializer(constant('onnx::MatMul_7', 'float32', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)));
    const report = await prune(options).run(read);
    expect(report.changes.map((one) => one.weight)).toContain('fc.weight');
    expect(seen.length).toBeGreaterThan(0);
    // A WeakRef keeps its target until the end of the current turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
    collect();
    expect(seen.filter((one) => one.deref() !== undefined)).toHaveLength(0);
    expect(read.graph.initializers.has('fc.weight')).toBe(true);
  });
});
