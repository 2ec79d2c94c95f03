import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { type QuantizeOptions, quantize, readModel, transform } from '../../../../src/index.node.ts';
import { realsOfCodes } from '../../../../src/kernels/lowbits/codes.ts';
import { searchMultipliers } from '../../../../src/kernels/lowbits/multipliers.ts';
import { searchCodes } from '../../../../src/kernels/lowbits/search.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec, value } from '../../../support/build.ts';
import { fixture } from '../../../support/cli.ts';
import { toHalf } from '../../../support/half.ts';
import { pass } from '../../../support/model.ts';
import { feed, runModel } from '../../../support/ort.ts';
import { randomFloats } from '../../../support/random.ts';
import { sqnr } from '../../../support/sqnr.ts';

/** A product of `[M, K]` and `[K, N]`. */
interface Product {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly node?: Partial<NodeSpec>;
  readonly transB?: boolean;
  readonly alpha?: number;
}

const PRODUCTS: readonly Product[] = [
  { name: 'MatMul', inputs: 64, outputs: 6 },
  { name: 'blocks that do not divide the inputs, an odd number of outputs', inputs: 41, outputs: 5 },
  { name: 'fewer inputs than a block', inputs: 7, outputs: 3 },
  { name: 'one input', inputs: 1, outputs: 4 },
  { name: 'one output', inputs: 40, outputs: 1 },
  { name: 'Gemm with transB', inputs: 41, outputs: 6, transB: true },
  { name: 'Gemm with alpha', inputs: 32, outputs: 6, transB: true, alpha: 0.5 },
];

const WAYS: readonly QuantizeOptions[] = (['multipliers', 'nbits', 'standard', 'folded'] as const).flatMap((form) => [
  { form, bits: 4 },
  { form, bits: 4, block: 16 },
  ...(form === 'multipliers' ? [] : [{ form, bits: 4, asymmetric: true }]),
  ...(form === 'standard' || form === 'nbits' ? [] : [{ form, bits: 2 }]),
]);

const CASES = PRODUCTS.flatMap((product) =>
  WAYS.map((way) => [`${product.name}: ${Object.values(way).join(', ')}`, product, way] as const),
);

/** The weight as rows of outputs. */
function matrixOf({ inputs, outputs }: Product): Float32Array {
  return randomFloats([outputs, inputs], 3, -0.4, 0.9);
}

function specOf(product: Product): ModelSpec {
  const { inputs, outputs, transB = false, alpha = 1 } = product;
  const matrix = matrixOf(product);
  const turned = Float32Array.from(
    matrix,
    (_, at) => matrix[(at % outputs) * inputs + Math.floor(at / outputs)] as number,
  );
  const w = transB ? f32([outputs, inputs], matrix) : f32([inputs, outputs], turned);
  const attributes = { ...(transB && { transB: 1 }), ...(alpha !== 1 && { alpha: { float: alpha } }) };
  const node = transB || alpha !== 1 ? { op: 'Gemm', attributes } : { op: 'MatMul' };
  return {
    opset: 17,
    inputs: { x: f32([inputs, inputs]) },
    outputs: { y: f32() },
    nodes: [{ in: ['x', 'w'], out: ['y'], ...node }],
    initializers: { w },
  };
}

describe('each form gives exactly the numbers of its codes', () => {
  test.each(CASES)('%s', async (_, product, way) => {
    const { inputs, outputs, alpha = 1 } = product;
    const source = buildModel(specOf(product));
    const { bytes, report } = await pass(source, quantize({ ...way, minElements: 0, headBits: way.bits as number }));
    const [change] = report.changes;
    const form = change?.form ?? '';
    expect(form).toContain(way.form);
    // A unit matrix gives the weight itself, because 0 and 1 are also exact in 8 bits.
    const unit = Float32Array.from({ length: inputs * inputs }, (_, at) => (at % (inputs + 1) === 0 ? 1 : 0));
    const { y } = await runModel(bytes, { x: feed([inputs, inputs], unit) }, 'all');
    const block = Number(/blocks of (\d+)/.exec(form)?.[1]);
    const shape = {
      bits: way.bits as 2 | 4,
      block,
      symmetric: way.asymmetric !== true,
      half: way.form !== 'multipliers',
    };
    const search = way.form === 'multipliers' ? searchMultipliers : searchCodes;
    const folded = way.form === 'folded';
    const scaled = matrixOf(product).map((one) => (folded ? one : one * alpha));
    const codes = search(scaled, { outputs, inputs }, shape, { method: 'mse' });
    const reals = realsOfCodes(codes);
    const seen = y?.data as Float32Array;
    const expected = Float32Array.from(
      reals,
      (_, at) => (reals[(at % outputs) * inputs + Math.floor(at / outputs)] as number) * (folded ? alpha : 1),
    );
    expect(seen.length).toBe(expected.length);
    const worst = Math.max(...expected.map((one, at) => Math.abs(one - (seen[at] as number))));
    expect(worst).toBeLessThan(1e-6);
  });
});

describe('a table of 4 bits', () => {
  test.each([
    ['rows of whole blocks', 64, 'float32'],
    ['rows that are no whole blocks', 41, 'float32'],
    ['float16', 32, 'float16'],
  ] as const)('%s', async (_, inputs, dtype) => {
    const floats = randomFloats([40, inputs], 5, -0.3, 0.3);
    const halves = { dtype: 'float16' as const, dims: [40, inputs], data: Uint16Array.from(floats, toHalf) };
    const spec: ModelSpec = {
      opset: 17,
      inputs: { ids: value('int64', [2, 3]) },
      outputs: { y: value(dtype, [2, 3, inputs]) },
      nodes: [{ op: 'Gather', in: ['w', 'ids'], out: ['y'] }],
      initializers: { w: dtype === 'float32' ? f32([40, inputs], floats) : halves },
    };
    const source = buildModel(spec);
    const { bytes, report } = await pass(source, quantize({ bits: 4, tableBits: 4, minElements: 0 }));
    expect(report.changes.map((one) => [one.form, one.bits])).toEqual([['int4 in blocks of 32, table', 4]]);
    const feeds = { ids: new Tensor('int64', BigInt64Array.of(0n, 8n, 3n, 1n, 1n, 7n), [2, 3]) };
    const kept = sqnr(await runModel(source, feeds), await runModel(bytes, feeds));
    expect(kept).toBeGreaterThan(18);
    expect(Math.abs(kept - (report.changes[0]?.sqnr ?? 0))).toBeLessThan(2);
  });
});

test('weights without elements, or with non-finite ones, do not change', async () => {
  const empty = { w: f32([0, 4], new Float32Array(0)) };
  const infinite = { w: f32([32, 4], new Float32Array(128).fill(Number.POSITIVE_INFINITY)) };
  for (const [initializers, reason] of [
    [empty, undefined],
    [infinite, 'non_finite'],
  ] as const) {
    const spec = { ...specOf({ name: '', inputs: 32, outputs: 4 }), initializers };
    for (const form of ['multipliers', 'nbits', 'standard', 'folded'] as const) {
      const { report } = await pass(buildModel(spec), quantize({ bits: 4, headBits: 4, minElements: 0, form }));
      expect(report.changes.filter((one) => one.bits === 4)).toEqual([]);
      if (reason !== undefined) expect(report.skips.map((one) => one.reason)).toEqual([reason]);
    }
  }
});

test('the report names the first version that loads all weights of a form', async () => {
  const said = async (headBits: 4 | 8): Promise<string> => {
    const model = await readModel(fixture('charlm.onnx'));
    const [report] = await transform(model, quantize({ bits: 4, form: 'nbits', headBits }));
    await model.close();
    return report?.notes.find((note) => note.includes('in the form nbits')) ?? '';
  };
  expect(await said(8)).toMatch(/17 weights in the form nbits: .*, from ONNX Runtime 1\.22 on/);
  expect(await said(4)).toMatch(/from ONNX Runtime 1\.17 on/);
});

test('8 bits for WebGPU are MatMulNBits, not products of integers', async () => {
  const product: Product = { name: 'MatMul', inputs: 512, outputs: 256 };
  const operators = async (options: QuantizeOptions): Promise<string[]> => {
    const { model } = await pass(specOf(product), quantize(options));
    return model.graph.nodes.map((node) => node.opType).filter((one) => /NBits|Dequantize|Dynamic/.test(one));
  };
  expect(await operators({ target: 'webgpu' })).toEqual(['MatMulNBits']);
  expect(await operators({ target: 'webgpu', weightsOnly: true })).toEqual(['MatMulNBits']);
  expect(await operators({})).not.toContain('MatMulNBits');
  expect(await operators({ target: 'webgpu', perTensor: true })).not.toContain('MatMulNBits');
});

test('a batch of matrices runs on integers, with one scale per output for all of them', async () => {
  for (const [inputs, bits, least, form] of [
    [64, 4, 18, 'multipliers'],
    [41, 4, 18, 'multipliers'],
    [64, 8, 35, 'int8'],
  ] as const) {
    const dims = [3, inputs, 6];
    const bytes = buildModel({
      inputs: { x: f32([3, 2, inputs]) },
      outputs: { y: f32([3, 2, 6]) },
      initializers: { w: f32(dims, randomFloats(dims)) },
      nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
      opset: 17,
    });
    const feeds = { x: feed([3, 2, inputs], randomFloats([3, 2, inputs], 2)) };
    const options: QuantizeOptions = { bits, headBits: bits, minElements: 0, method: 'mse' };
    const { bytes: made, report } = await pass(
      bytes,
      quantize(bits === 8 ? options : { ...options, form: 'multipliers' }),
    );
    expect(report.changes[0]?.form).toContain(form);
    const [float, low] = [await runModel(bytes, feeds), await runModel(made, feeds)];
    expect(sqnr(float, low)).toBeGreaterThan(least);
  }
});
