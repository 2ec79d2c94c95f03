import { describe, expect, test } from '@jest/globals';
import type { PassReport } from '../../src/index.node.ts';
import { convert } from '../../src/passes/convert.ts';
import { fold } from '../../src/passes/fold/index.ts';
import { pack } from '../../src/passes/pack/index.ts';
import type { Pass } from '../../src/passes/pass.ts';
import { quantize } from '../../src/passes/quantize/index.ts';
import { quantizeStatic } from '../../src/passes/quantize/static/index.ts';
import { buildModel, f32, float, type ModelSpec } from '../support/build.ts';
import { randomFloats } from '../support/random.ts';
import { bytesOf, modelOf } from './opset/check.ts';

/** A model of only ai.onnx.ml operators, as converters of tree models write it. */
const scaler: ModelSpec = {
  opset: 0,
  domains: { 'ai.onnx.ml': 1 },
  inputs: { x: f32([2, 2]) },
  outputs: { y: f32([2, 2]) },
  nodes: [
    {
      op: 'Scaler',
      domain: 'ai.onnx.ml',
      in: ['x'],
      out: ['y'],
      attributes: { offset: float([1, 1]), scale: float([2, 2]) },
    },
  ],
};

/** The same with a standard operator but no stated opset. */
const unstated: ModelSpec = {
  ...scaler,
  inputs: { x: f32([2, 64]) },
  nodes: [...scaler.nodes, { op: 'MatMul', name: 'm', in: ['y', 'w'], out: ['z'] }],
  outputs: { z: f32() },
  initializers: {
    w: f32(
      [64, 64],
      randomFloats([64, 64], 1).map((one) => (one < 0.5 ? 0 : one)),
    ),
  },
};

const NO_OPSET = 'the model imports no version of the standard operators';

async function run(spec: ModelSpec, pass: Pass): Promise<PassReport & { readonly same: boolean }> {
  const bytes = buildModel(spec);
  const model = await modelOf(bytes);
  const report = await pass.run(model);
  return { ...report, same: Buffer.compare(await bytesOf(model), bytes) === 0 };
}

describe('a model without standard operators has no opset', () => {
  test('convert copies it', async () => {
    const { notes, same } = await run(scaler, convert({ opset: 21 }));
    expect(notes).toEqual([`there is no opset to raise: ${NO_OPSET}, and has none`]);
    expect(same).toBe(true);
  });
  test.each([
    ['quantize', quantize()],
    ['fold', fold()],
    ['pack', pack({ store: 'bitmask', optional: true })],
  ] as const)('%s does not speak of opset 0', async (_, pass) => {
    const { notes, skips, same } = await run(scaler, pass);
    expect(JSON.stringify([notes, skips])).not.toContain('opset');
    expect(same).toBe(true);
  });
});

describe('refuses standard operators without a stated opset', () => {
  test('convert', async () => {
    const model = await modelOf(buildModel(unstated));
    await expect(convert({ opset: 21 }).run(model)).rejects.toMatchObject({
      message: `it cannot be raised to 21: ${NO_OPSET}`,
    });
  });
  test('quantize', async () => {
    const { notes, skips } = await run(unstated, quantize({ minElements: 1 }));
    expect(notes).toEqual([NO_OPSET]);
    expect(skips.map(({ weight, reason, detail }) => [weight, reason, detail])).toEqual([
      ['w', 'opset_too_old', NO_OPSET],
    ]);
    const model = await modelOf(buildModel(unstated));
    await expect(quantizeStatic({ ranges: new Map() }).run(model)).rejects.toMatchObject({
      message: `ranges: ${NO_OPSET}; static quantization needs 13`,
    });
  });
  test('fold and pack', async () => {
    expect((await run(unstated, fold())).notes).toEqual(['nothing to fold', `${NO_OPSET}: they are not folded`]);
    const { notes, skips } = await run(unstated, pack({ store: 'bitmask', optional: true }));
    expect(JSON.stringify([notes, skips])).toContain(`a bit mask needs opset 13, and ${NO_OPSET}`);
  });
});
