import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { openArrays, type Pass, type PruneOptions, prune } from '../../../src/index.node.ts';
import { modelOf, pass, weightFloats } from '../../support/model.ts';
import { fixture, maskHash, zerosOf } from './support.ts';

/** A step recorded by scripts/reference_prune_methods.py with torch. */
interface Step {
  readonly method: 'l1' | 'ln';
  readonly amount: number;
  readonly n?: 1 | 2 | 'inf';
  readonly dim?: number;
  readonly scores?: boolean;
  readonly scope?: 'global';
}

interface Mask {
  readonly zeros: number;
  readonly sha256: string;
  readonly slices?: readonly number[];
}

interface Case {
  readonly model: 'digits-mlp' | 'digits-cnn';
  readonly steps?: readonly Step[];
  readonly nm?: readonly [number, number];
  readonly weights: Readonly<Record<string, Mask>>;
}

const { cases }: { cases: readonly Case[] } = JSON.parse(readFileSync(fixture('reference/prune-methods.json'), 'utf8'));
const NORMS = { 1: 'l1', 2: 'l2', inf: 'linf' } as const;

async function passOf(step: Step): Promise<Pass> {
  const { amount, n = 1, dim, scope = 'tensor' } = step;
  const options: PruneOptions = { method: NORMS[n], amount, scope, of: 'remaining' };
  return prune({
    ...options,
    ...(dim === undefined ? {} : { axis: dim }),
    ...(step.scores ? { scores: await openArrays(fixture('reference/prune-scores.npz')) } : {}),
  });
}

function title({ model, steps = [], nm }: Case): string {
  const one = ({ method, amount, n, dim, scores, scope }: Step): string =>
    [method, n, dim === undefined ? '' : `dim ${dim}`, amount, scores ? 'scores' : '', scope].filter(Boolean).join(' ');
  return `${model}: ${nm === undefined ? steps.map(one).join(', then ') : nm.join(':')}`;
}

describe('gives the masks of torch for trained weights', () => {
  test.each(cases.map((one) => [title(one), one] as const))('%s', async (_, one) => {
    const { steps = [], nm, weights } = one;
    const passes = await Promise.all(steps.map(passOf));
    if (nm !== undefined) passes.push(prune({ method: 'l1', nm: { keep: nm[0], group: nm[1] } }));
    const { bytes, report } = await pass(fixture(`${one.model}.onnx`), ...passes);
    const written = await modelOf(bytes);
    expect(report.changes.map((change) => change.weight).sort()).toEqual(Object.keys(weights).sort());
    for (const [name, mask] of Object.entries(weights)) {
      const data = await weightFloats(written, name);
      const change = report.changes.find((each) => each.weight === name);
      expect([name, change?.zeros, zerosOf(data).length]).toEqual([name, mask.zeros, mask.zeros]);
      expect([name, maskHash(data)]).toEqual([name, mask.sha256]);
      if (mask.slices === undefined) continue;
      const axis = ((steps.at(-1)?.dim ?? 0) + (change?.dims.length ?? 0)) % (change?.dims.length ?? 1);
      const all = change?.dims[axis];
      expect(change?.form).toBe(`${mask.slices.length} of ${all} slices along axis ${axis}`);
    }
  });
});
