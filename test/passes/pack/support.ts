/** Sparse weights of every type, models with them, and their results in ONNX Runtime. */
import { expect } from '@jest/globals';
import type { Tensor } from 'onnxruntime-node';
import { type DType, readModel } from '../../../src/index.node.ts';
import { f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { toHalf } from '../../support/half.ts';
import { modelOf } from '../../support/model.ts';
import { optimizedModel, runModel } from '../../support/ort.ts';
import { seeded } from '../../support/random.ts';

/** A weight of small numbers, a share of which is zero (`zero` for bytes); the first kept float is −0. */
export function sparseWeight(dtype: DType, dims: readonly number[], sparsity: number, zero = 0): TensorSpec {
  const chance = seeded(dims.reduce((a, b) => a * b, dtype.length));
  const count = dims.reduce((a, b) => a * b, 1);
  let negative = true;
  const number = (): number => {
    if (chance() < sparsity) return 0;
    if (negative) {
      negative = false;
      return -0;
    }
    return chance() - 0.5;
  };
  const list = Float64Array.from({ length: count }, number);
  const data = ((): ArrayBufferView => {
    switch (dtype) {
      case 'float32':
        return Float32Array.from(list);
      case 'float64':
        return list;
      case 'float16':
        return Uint16Array.from(list, (one) => (Object.is(one, -0) ? 0x8000 : toHalf(one)));
      case 'bfloat16':
        return new Uint16Array(Float32Array.from(list).buffer).filter((_, at) => at % 2 === 1);
      case 'int8':
        return Int8Array.from(list, (one) => Math.round(one * 250));
      default:
        return Uint8Array.from(list, (one) => zero + Math.round(one * 100));
    }
  })();
  return { dtype, dims, data };
}

/** `y = x · w` with w of any type, cast or dequantized if needed. */
export function product(weight: TensorSpec, rest: Partial<ModelSpec> = {}): ModelSpec {
  const { dtype, dims } = weight;
  const [rows = 1, columns = 1] = dims;
  const quantized = dtype === 'int8' || dtype === 'uint8';
  const between: NodeSpec[] = quantized
    ? [
        {
          op: 'DequantizeLinear',
          in: ['w', 'scale', ...(dtype === 'uint8' ? ['zero'] : [])],
          out: ['float'],
          attributes: { axis: 1 },
        },
      ]
    : dtype === 'float32'
      ? []
      : [{ op: 'Cast', in: ['w'], out: ['float'], attributes: { to: 1 } }];
  const params = {
    scale: f32([columns], new Float32Array(columns).fill(0.01)),
    ...(dtype === 'uint8'
      ? { zero: { dtype, dims: [columns], data: new Uint8Array(columns).fill(120) } as const }
      : {}),
  };
  return {
    opset: 17,
    inputs: { x: f32([2, rows]) },
    outputs: { y: f32([2, columns]) },
    nodes: [...between, { op: 'MatMul', name: 'mm', in: ['x', between.length === 0 ? 'w' : 'float'], out: ['y'] }],
    initializers: { w: weight, ...(quantized ? params : {}) },
    ...rest,
  };
}

/** The number of each operator in a model, including bodies, without constants. */
export async function operators(bytes: Uint8Array): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { node } of (await modelOf(bytes)).nodes()) {
    if (node.opType !== 'Constant') counts[node.opType] = (counts[node.opType] ?? 0) + 1;
  }
  return counts;
}

/**
 * Fails unless ONNX Runtime runs the same operators for both models, and gives the same bits.
 * @param levels - of optimization: without any, a weight is no constant, and large products are summed in another order
 */
export async function expectSameRuns(
  dense: Uint8Array,
  packed: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  levels: readonly ('disabled' | 'all')[] = ['disabled', 'all'],
): Promise<Record<string, number>> {
  const kernels = await operators(await optimizedModel(dense));
  expect(await operators(await optimizedModel(packed))).toEqual(kernels);
  for (const level of levels) {
    const [wanted, found] = [await runModel(dense, feeds, level), await runModel(packed, feeds, level)];
    for (const [name, { data }] of Object.entries(wanted)) {
      expect(bytesOfData(found[name]?.data).equals(bytesOfData(data))).toBe(true);
    }
  }
  return kernels;
}

function bytesOfData(data: Tensor['data'] | undefined): Buffer {
  if (data === undefined || Array.isArray(data)) throw new Error('no numbers');
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** Reads a model, passes it to `use`, and closes it. */
export async function withModel<T>(
  path: string,
  use: (model: Awaited<ReturnType<typeof readModel>>) => Promise<T>,
): Promise<T> {
  const model = await readModel(path);
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}
