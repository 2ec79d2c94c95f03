/** The graph that ONNX Runtime optimizes a model to, and its results. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, type Tensor } from 'onnxruntime-node';
import type { Model, Node } from '../../src/index.node.ts';
import { modelOf } from './model.ts';

const INTEGER_KERNELS = /^(DynamicQuantizeMatMul|MatMulIntegerToFloat|MatMulNBits|MatMulInteger|QGemm)$/;
const FLOAT_KERNELS = /^(MatMul|Gemm|FusedGemm|FusedMatMul)$/;

/** Operators of an optimized graph, including bodies of If, and its results. */
export interface Fusion {
  /** Operators that multiply integers, sorted. */
  readonly integer: readonly string[];
  /** MatMul and Gemm that still multiply floats. */
  readonly float: readonly string[];
  /** DequantizeLinear nodes that read a constant: ONNX Runtime would compute the float weight at every run. */
  readonly dequantized: readonly string[];
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** Optimizes a model as far as ONNX Runtime can, runs it once, and reads which operators ran. */
export async function runFused(model: Uint8Array, feeds: Readonly<Record<string, Tensor>>): Promise<Fusion> {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-compress-'));
  try {
    const path = join(folder, 'optimized.onnx');
    const session = await InferenceSession.create(model, {
      graphOptimizationLevel: 'all',
      optimizedModelFilePath: path,
      logSeverityLevel: 3,
      intraOpNumThreads: 1,
      executionProviders: ['cpu'],
    });
    const outputs = await session.run(feeds);
    await session.release();
    return { ...(await operatorsOf(readFileSync(path))), outputs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function operatorsOf(optimized: Uint8Array): Promise<Omit<Fusion, 'outputs'>> {
  const nodes = [...(await modelOf(optimized)).nodes()];
  const matching = (pattern: RegExp): string[] =>
    nodes
      .map(({ node }) => node.opType)
      .filter((one) => pattern.test(one))
      .sort();
  const constants = nodes.filter(
    ({ graph, node }) => node.opType === 'DequantizeLinear' && graph.constant(node.inputs[0] ?? '') !== undefined,
  );
  return {
    integer: matching(INTEGER_KERNELS),
    float: matching(FLOAT_KERNELS),
    dequantized: constants.map(({ node }) => node.outputs[0] ?? ''),
  };
}

/** Nodes of an operator, in all graphs of the model. */
export function nodesOf(model: Model, opType: string): Node[] {
  return [...model.nodes()].map(({ node }) => node).filter((node) => node.opType === opType);
}
