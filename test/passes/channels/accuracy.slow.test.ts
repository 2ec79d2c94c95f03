import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Tensor } from 'onnxruntime-node';
import { type ChannelOptions, openActivations, openData, readModel, removeChannels } from '../../../src/index.node.ts';
import { fixture } from '../../support/cli.ts';
import { bytesOf } from '../../support/model.ts';
import { readNpz } from '../../support/npz.ts';
import { runModel } from '../../support/ort.ts';

/** Share of rows whose largest output is the labelled one. */
async function accuracy(model: Uint8Array, name: string): Promise<number> {
  const { __labels__: labels, ...feeds } = await readNpz(fixture(`${name}-test.npz`));
  const [output] = Object.values(await runModel(model, feeds as Record<string, Tensor>, 'all')) as [Tensor];
  const classes = output.dims.at(-1) as number;
  const data = output.data as Float32Array;
  const truth = Array.from((labels as Tensor).data as BigInt64Array, Number);
  const right = truth.filter((label, row) => {
    const own = data.subarray(row * classes, (row + 1) * classes);
    return own.indexOf(Math.max(...own)) === label;
  });
  return right.length / truth.length;
}

async function pruned(name: string, options: Partial<ChannelOptions>, data = true): Promise<Uint8Array> {
  const model = await readModel(fixture(`${name}.onnx`));
  const inputs = model.graph.inputs;
  const source = data ? openActivations(await openData(fixture(`${name}-calib.npz`), inputs)) : undefined;
  await removeChannels({ amount: 0.3, ...(source && { source }), ...options }).run(model);
  await source?.close();
  const bytes = await bytesOf(model);
  await model.close();
  return bytes;
}

// Refitting takes minutes on a busy machine.
jest.setTimeout(600_000);

for (const name of ['digits-cnn', 'digits-cnn-bn', 'digits-mlp', 'digits-vit']) {
  describe(name, () => {
    const before = readFileSync(fixture(`${name}.onnx`));
    let right: number;
    beforeAll(async () => {
      right = await accuracy(before, name);
    });

    test('loses at most 3 points at 30 % of its channels, with corrected biases', async () => {
      const after = await pruned(name, {});
      if (name.includes('cnn')) expect(after.length).toBeLessThan(before.length * 0.65);
      expect(await accuracy(after, name)).toBeGreaterThan(right - (name === 'digits-vit' ? 0.04 : 0.03));
    });

    test('loses at most 1.5 points at 30 % of its channels, refitted', async () => {
      for (const roundTo of name === 'digits-mlp' ? [1, 8] : [8]) {
        const after = await pruned(name, { reconstruct: true, roundTo });
        expect(await accuracy(after, name)).toBeGreaterThan(right - 0.015);
      }
    });

    // One of two similar networks is enough, because refitting takes longest.
    if (name === 'digits-vit' || name === 'digits-cnn-bn') return;
    test('loses at most 1.5 points with wanda, refitted', async () => {
      const after = await pruned(name, { reconstruct: true, norm: 'wanda' });
      expect(await accuracy(after, name)).toBeGreaterThan(right - 0.015);
    });
  });
}

test('digits-cnn can lose half of its channels with refitting, and nearly none without', async () => {
  const [fitted, plain] = [
    await pruned('digits-cnn', { amount: 0.5, reconstruct: true, roundTo: 1 }),
    await pruned('digits-cnn', { amount: 0.5, roundTo: 1 }, false),
  ];
  expect(fitted.length).toBeLessThan(100_000);
  expect(await accuracy(fitted, 'digits-cnn')).toBeGreaterThan(0.98);
  expect(await accuracy(plain, 'digits-cnn')).toBeLessThan(0.8);
});
