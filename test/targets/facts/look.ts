/** How ONNX Runtime optimizes a small model, for the tests of facts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, InferenceSession, type Tensor } from 'onnxruntime-node';
import { openInspected } from '../../../src/node/runtime/kernels.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';
import { optimizedModel } from '../../support/ort.ts';

// A model that ONNX Runtime cannot load or run is an answer here, not an error.
env.logLevel = 'fatal';

/** Checks a fact in ONNX Runtime. */
export type Check = () => Promise<void>;

/** A model with one input x [2, 32] and one output y, unless stated otherwise. */
export type Little = Partial<ModelSpec> & Pick<ModelSpec, 'nodes'>;

/** The operators that will run, each once and sorted, and why weights are not fused. */
export interface Seen {
  readonly ops: readonly string[];
  readonly why: readonly string[];
}

/** The graph that ONNX Runtime optimizes a model to. */
export async function look(spec: Little): Promise<Seen> {
  const folder = mkdtempSync(join(tmpdir(), 'fact-'));
  try {
    const path = join(folder, 'model.onnx');
    writeFileSync(path, buildModel(whole(spec)));
    const { session, kernels } = await openInspected(path);
    await session.release();
    return { ops: kernels.kernels.map((one) => one.op).sort(), why: kernels.unfused.map((one) => one.why) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Pairs of operators where the second reads the first in the optimized graph, e.g. `Conv Relu`. */
export async function edgesOf(spec: Little): Promise<string[]> {
  const { graph } = await modelOf(await optimizedModel(buildModel(whole(spec))));
  return graph.nodes.flatMap((one) =>
    one.inputs.flatMap((name) => {
      const producer = graph.producer(name);
      return producer === undefined ? [] : [`${producer.opType} ${one.opType}`];
    }),
  );
}

function whole(spec: Little): ModelSpec {
  return { opset: 21, irVersion: 10, inputs: { x: f32([2, 32]) }, outputs: { y: f32() }, ...spec };
}

/** Runs a model as ONNX Runtime optimizes it, and ignores failures. */
export async function run(model: Uint8Array, feeds: Readonly<Record<string, Tensor>>): Promise<void> {
  const session = await InferenceSession.create(model, {
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
  });
  try {
    await session.run(feeds);
  } finally {
    await session.release();
  }
}

export const node = (
  op: string,
  inputs: readonly string[],
  output: string | readonly string[],
  attributes: NodeSpec['attributes'] = {},
): NodeSpec => ({ op, in: inputs, out: typeof output === 'string' ? [output] : output, attributes });

const count = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Arbitrary integers, different for each `seed`. */
export function integers(dims: readonly number[], seed = 0, dtype: 'int8' | 'uint8' = 'int8'): TensorSpec {
  const data = Int8Array.from({ length: count(dims) }, (_, index) => ((index * 37 + seed * 11) % 101) - 50);
  return { dtype, dims, data };
}

export function floats(dims: readonly number[], seed = 0): TensorSpec {
  return f32(
    dims,
    Array.from({ length: count(dims) }, (_, index) => 0.01 + ((index * 7 + seed * 3) % 32) * 0.001),
  );
}

export const zero = (dtype: 'int8' | 'uint8' | 'int32', dims: readonly number[] = []): TensorSpec => {
  const data = dtype === 'int32' ? new Int32Array(count(dims)) : new Int8Array(count(dims));
  return { dtype, dims, data };
};

/** A value quantized and dequantized: `name` from `x`, through `name_q`, with scale `s` and zero point `z`. */
export const pair = (x: string, name: string, s = 's', z = 'z'): NodeSpec[] => [
  node('QuantizeLinear', [x, s, z], `${name}_q`),
  node('DequantizeLinear', [`${name}_q`, s, z], name),
];

/** x as `xd`, quantized dynamically. */
export const DYNAMIC: readonly NodeSpec[] = [
  node('DynamicQuantizeLinear', ['x'], ['xq', 'xs', 'xz']),
  node('DequantizeLinear', ['xq', 'xs', 'xz'], 'xd'),
];
