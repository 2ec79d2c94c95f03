import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { bytesSink, readModel, transform, writeModel } from '../../../../src/index.node.ts';
import { calibratedQuantize } from '../../../../src/node/recipes/calibrated.ts';
import { openInspected } from '../../../../src/node/runtime/kernels.ts';
import { STATIC_DEFAULTS } from '../../../../src/passes/quantize/static/index.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec } from '../../../support/build.ts';
import { normal } from '../../../support/calibrated.ts';
import { folder } from '../../../support/cli.ts';
import { npzOf } from '../../../support/npz.ts';
import { feed, runModel } from '../../../support/ort.ts';
import { sqnr } from '../../../support/sqnr.ts';

const WIDTH = 24;
const ROWS = 64;

/** Three layers with activations between; one channel of the middle weight is huge, and a Relu zeroes it. */
function chain(op: 'Conv' | 'Gemm', between: 'Relu' | 'Clip'): ModelSpec {
  const dims = op === 'Conv' ? [WIDTH, WIDTH, 1, 1] : [WIDTH, WIDTH];
  const weights = [0, 1, 2].map((seed) => normal(WIDTH * WIDTH, seed + 3, 0.3));
  for (let i = 0; i < WIDTH; i++) (weights[1] as Float32Array)[5 * WIDTH + i] = -3000;
  const nodes: NodeSpec[] = [];
  for (const [index, input] of ['x', 'h0', 'h1'].entries()) {
    const attributes = op === 'Gemm' ? { attributes: { transB: 1 } } : {};
    nodes.push({ op, in: [input, `w${index}`, `b${index}`], out: [`p${index}`], name: `n${index}`, ...attributes });
    const limits = between === 'Clip' ? ['low', 'high'] : [];
    nodes.push({ op: between, in: [`p${index}`, ...limits], out: [index === 2 ? 'y' : `h${index}`] });
  }
  const inner = op === 'Conv' ? [WIDTH, 1, 1] : [WIDTH];
  return {
    opset: 17,
    inputs: { x: f32(['N', ...inner]) },
    outputs: { y: f32(['N', ...inner]) },
    nodes,
    initializers: {
      ...Object.fromEntries(weights.map((data, index) => [`w${index}`, f32(dims, data)])),
      ...Object.fromEntries([0, 1, 2].map((index) => [`b${index}`, f32([WIDTH], normal(WIDTH, index + 9, 0.1))])),
      ...(between === 'Clip' ? { low: f32([], [0]), high: f32([], [6]) } : {}),
    },
  };
}

async function quantized(spec: ModelSpec, exclude: readonly RegExp[]) {
  const path = folder();
  const dims = spec.inputs?.['x']?.dims?.slice(1) as number[];
  const rows = (seed: number) => normal(ROWS * WIDTH, seed).map(Math.abs);
  const data = join(path, 'data.npz');
  writeFileSync(data, npzOf({ x: { dims: [ROWS, ...dims], data: rows(1) } }));
  const bytes = buildModel(spec);
  const model = await readModel(bytes);
  const options = { minElements: 0, perTensor: true, exclude };
  const settings = { data, overwrite: false, observer: 'minmax', biasCorrection: true, onProgress() {} } as const;
  const pass = calibratedQuantize(options, { ...settings, ...STATIC_DEFAULTS, prefer: 'size' });
  const [report] = await transform(model, pass);
  const sums = model.graph.nodes.filter((node) => node.opType === 'Sum').length;
  const sink = bytesSink();
  await writeModel(model, sink);
  const file = join(path, 'small.onnx');
  writeFileSync(file, sink.bytes());
  const { session, kernels } = await openInspected(file);
  await session.release();
  const feeds = { x: feed([ROWS, ...dims], rows(2)) };
  const quality = sqnr(await runModel(bytes, feeds), await runModel(sink.bytes(), feeds, 'all'));
  const again = await readModel(sink.bytes());
  await transform(again, pass);
  const twice = bytesSink();
  await writeModel(again, twice);
  const same = Buffer.from(twice.bytes()).equals(sink.bytes());
  return { changed: report?.changes.map((one) => one.weight), sums, kernels: kernels.kernels, quality, same };
}

describe('a weight that is excluded stays float when ONNX Runtime loads the model', () => {
  test.each([
    ['Conv', 'Relu'],
    ['Conv', 'Clip'],
    ['Gemm', 'Relu'],
  ] as const)('%s, %s', async (op, between) => {
    const found = await quantized(chain(op, between), [/^w1$/]);
    expect(found.changed).toEqual(['w0', 'w2']);
    const count = (kernel: string) => found.kernels.find((one) => one.op === kernel)?.nodes ?? 0;
    if (op === 'Conv') expect(count('QLinearConv')).toBe(2);
    else expect(count('QGemm')).toBe(2);
    // One Sum after the excluded layer; the product of the last Gemm has one too, because its Relu is read as float.
    const sums = op === 'Gemm' ? 2 : 1;
    expect([found.sums, count('Sum')]).toEqual([sums, sums]);
    // One scale for the tensor would round all but the huge channel to zero.
    expect(found.quality).toBeGreaterThan(25);
    expect(found.same).toBe(true);
  });

  test('inserts nothing if nothing is excluded, or no integers follow', async () => {
    expect((await quantized(chain('Conv', 'Relu'), [])).sums).toBe(0);
    expect((await quantized(chain('Conv', 'Relu'), [/^w2$/])).sums).toBe(0);
    expect((await quantized(chain('Conv', 'Relu'), [/^w[12]$/])).sums).toBe(0);
  });
});
