import { expect } from '@jest/globals';
import { bitsOf, type DType } from '../../../src/ir/dtype.ts';
import { pack } from '../../../src/passes/pack/index.ts';
import { quantize } from '../../../src/passes/quantize/index.ts';
import type * as kernels from '../../../src/targets/kernels.ts';
import {
  contribLike,
  dynamicLstm,
  gatheredTypes,
  hardSigmoidTypes,
  nearestResize,
  sparseTypes,
  standardBefore,
  standardOwn,
} from '../../../src/targets/kernels.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { pass } from '../../support/model.ts';
import { feed, runModel, sessionOf } from '../../support/ort.ts';
import { type Check, floats, node } from './look.ts';

/** Whether ONNX Runtime creates a session for a model. */
async function loads(spec: ModelSpec): Promise<boolean> {
  try {
    await (await sessionOf(buildModel(spec))).release();
    return true;
  } catch {
    return false;
  }
}

const LSTM: ModelSpec = {
  ...{ opset: 17, inputs: { x: f32([5, 1, 8]) }, outputs: { y: f32() } },
  nodes: [node('LSTM', ['x', 'w', 'r'], 'y', { hidden_size: 8 })],
  initializers: { w: floats([1, 32, 8]), r: floats([1, 32, 8], 1) },
};

export const KERNELS: { readonly [Name in keyof typeof kernels]: Check } = {
  gatheredTypes: async () => {
    for (const dtype of gatheredTypes.value) expect([dtype, await loads(gather(dtype, 2))]).toEqual([dtype, true]);
  },
  sparseTypes: async () => {
    for (const dtype of sparseTypes.value) {
      const { model, bytes } = await pass(gather(dtype, 2048), pack({ store: 'sparse' }));
      expect([dtype, model.graph.sparseInitializers.length]).toEqual([dtype, 1]);
      await (await sessionOf(bytes)).release();
    }
  },
  hardSigmoidTypes: async () => {
    const model = (dtype: DType): ModelSpec => ({
      ...{ opset: 17, inputs: { x: value(dtype, [2]) }, outputs: { y: value(dtype) } },
      nodes: [node('HardSigmoid', ['x'], 'y')],
    });
    for (const dtype of hardSigmoidTypes.value) expect(await loads(model(dtype))).toBe(true);
    expect(await loads(model('float64'))).toBe(false);
  },
  dynamicLstm: async () => {
    const { model, bytes } = await pass(LSTM, quantize({ allowContrib: true, minElements: 1 }));
    const { weights, activations } = dynamicLstm.value;
    const [lstm] = model.graph.nodes.filter((one) => one.opType === 'DynamicQuantizeLSTM');
    expect([model.graph.constant(lstm?.inputs[1] ?? '')?.tensor.dtype, activations]).toEqual([weights, 'float32']);
    await (await sessionOf(bytes)).release();
  },
  nearestResize: async () => {
    const resized = async (scale: number): Promise<number[]> => {
      const model: ModelSpec = {
        ...{ opset: 10, inputs: { x: f32([4]) }, outputs: { y: f32() } },
        ...{ nodes: [node('Resize', ['x', 's'], 'y')], initializers: { s: f32([1], [scale]) } },
      };
      const { y } = await runModel(buildModel(model), { x: feed([4], Float32Array.of(0, 1, 2, 3)) });
      return Array.from((y as { data: ArrayLike<number> }).data);
    };
    const { enlarging, shrinking } = nearestResize.value;
    for (const [scale, round] of [[1.5, enlarging] as const, [0.75, shrinking] as const]) {
      const wanted = Array.from({ length: Math.floor(4 * scale) }, (_, index) => Math[round](index / scale));
      expect(await resized(scale)).toEqual(wanted);
    }
  },
  standardBefore: async () => {
    for (const op of standardBefore.value) {
      const inputs = op === 'LayerNormalization' ? ['x', 'g', 'g'] : ['x'];
      expect([op, await loads(one(node(op, inputs, 'y'), 7))]).toEqual([op, true]);
    }
  },
  standardOwn: async () => {
    for (const op of standardOwn.value) {
      const inputs = op.includes('Norm') ? ['x', 'g'] : ['x'];
      for (const opset of [8, 21]) expect([op, await loads(one(node(op, inputs, 'y'), opset))]).toEqual([op, true]);
    }
  },
  contribLike: async () => {
    for (const op of contribLike.value) {
      const inputs = op.startsWith('Skip') ? ['x', 'x', 'g'] : op.startsWith('Fused') ? ['x', 'k'] : ['x', 'g'];
      const given = ['Gelu', 'QuickGelu'].includes(op) ? ['x'] : inputs;
      const attributes = ['FusedConv', 'FusedGemm'].includes(op) ? { activation: 'Relu' } : {};
      const nodes = [{ ...node(op, given, 'y', attributes), domain: 'com.microsoft' }];
      const model = (dtype: DType): ModelSpec => ({
        ...{ opset: 17, domains: { 'com.microsoft': 1 }, nodes, outputs: { y: value(dtype) } },
        inputs: { x: op === 'FusedConv' ? f32([1, 4, 5, 5]) : f32([2, 4]) },
        initializers: { g: floats([4]), k: op === 'FusedConv' ? floats([4, 4, 3, 3]) : floats([4, 4]) },
      });
      expect([op, await loads(model('float32')), await loads(model('float16'))]).toEqual([op, true, false]);
    }
  },
};

/** A model of one node in an opset. */
function one(node: NodeSpec, opset: number): ModelSpec {
  return {
    ...{ opset, inputs: { x: f32([1, 2, 3, 4]) }, outputs: { y: f32() } },
    ...{ nodes: [node], initializers: { g: f32([4], [1, 2, 3, 4]) } },
  };
}

/** A Gather of elements that are all zero except one. */
function gather(dtype: DType, elements: number): ModelSpec {
  const data = new Uint8Array((elements * bitsOf(dtype)) / 8);
  data[0] = 1;
  return {
    ...{ opset: 13, inputs: { x: value('int64', [3]) }, outputs: { y: f32() } },
    nodes: [node('Gather', ['d', 'x'], 'g'), node('Cast', ['g'], 'y', { to: 1 })],
    initializers: { d: { dtype, dims: [elements], data } },
  };
}
