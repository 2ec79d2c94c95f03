import type { Model, Node } from '../../src/index.ts';
import { modelOf } from './model.ts';
import { type ModelRef, optimizedModel } from './ort.ts';

const INTEGER_KERNELS = /^(DynamicQuantizeMatMul|MatMulIntegerToFloat|MatMulNBits|MatMulInteger|QGemm)$/;
const FLOAT_KERNELS = /^(MatMul|Gemm|FusedGemm|FusedMatMul)$/;

/** What ONNX Runtime's optimizer made of a model, bodies of If included. */
export interface Fusion {
  /** Operators that multiply integers, sorted. */
  readonly integer: readonly string[];
  /** MatMul and Gemm that still multiply floats. */
  readonly float: readonly string[];
  /** DequantizeLinear nodes that read a constant: ONNX Runtime would compute the float weight at every run. */
  readonly dequantized: readonly string[];
}

/** Reads the operators of the optimized graph. */
export async function fusionOf(model: ModelRef): Promise<Fusion> {
  const optimized = await modelOf(await optimizedModel(model));
  const nodes = [...optimized.nodes()];
  const matching = (pattern: RegExp): string[] =>
    nodes.filter(({ node }) => pattern.test(node.opType)).map(({ node }) => node.opType).sort();
  const constants = nodes.filter(
    ({ graph, node }) => node.opType === 'DequantizeLinear' && graph.held(node.inputs[0] ?? '') !== undefined,
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
