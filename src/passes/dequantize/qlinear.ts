import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import { createNode, floatAttribute, intAttribute, intsAttribute, type Node } from '../../ir/node.ts';
import { constant, derived, type Tensor } from '../../ir/tensor.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { isVariable } from '../../layers/constant.ts';
import { decodableOf, sourceConstant, sourceTensor } from '../../schemes/decodable.ts';
import { granularityOf, type Sharing } from '../../schemes/granularity.ts';
import { clippedBefore } from './activations.ts';
import type { Rewriting } from './rewriting.ts';

/** An operator on quantized operands, and the corresponding float operator. */
interface Form {
  readonly opType: string;
  /** Input positions of its operands: integers, followed by scale and zero point. */
  readonly operands: readonly number[];
  /** Input position of the result's scale, followed by its zero point. */
  readonly result: number;
  readonly bias?: number;
  /** Other inputs that it passes on, before the operands. */
  readonly first?: readonly number[];
  /** Attributes that the float operator does not have. */
  readonly without?: readonly string[];
}

/**
 * The operators of the standard and of com.microsoft that compute with quantized operands and return quantized results.
 * @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
const FORMS: Readonly<Record<string, Form>> = {
  QLinearMatMul: { opType: 'MatMul', operands: [0, 3], result: 6 },
  QLinearConv: { opType: 'Conv', operands: [0, 3], result: 6, bias: 8, without: ['channels_last'] },
  QGemm: { opType: 'Gemm', operands: [0, 3], result: 7, bias: 6 },
  QLinearAdd: { opType: 'Add', operands: [0, 3], result: 6 },
  QLinearMul: { opType: 'Mul', operands: [0, 3], result: 6 },
  QLinearSigmoid: { opType: 'Sigmoid', operands: [0], result: 3 },
  QLinearLeakyRelu: { opType: 'LeakyRelu', operands: [0], result: 3 },
  QLinearAveragePool: { opType: 'AveragePool', operands: [0], result: 3, without: ['channels_last'] },
  QLinearGlobalAveragePool: { opType: 'GlobalAveragePool', operands: [0], result: 3, without: ['channels_last'] },
  QLinearSoftmax: { opType: 'Softmax', operands: [0], result: 3, without: ['opset'] },
  QLinearWhere: { opType: 'Where', operands: [1, 4], result: 7, first: [0] },
};

/** Whether a node is one of these operators. */
export function isQuantizedOp({ opType }: Node): boolean {
  return lookup(FORMS, opType) !== undefined || opType === 'QLinearConcat' || opType === 'QLinearReduceMean';
}

/**
 * Replaces such a node by the float operator, followed by a QuantizeLinear for readers of integers:
 * ```
 * before  a ── QLinearAdd(b) ── c                 after  a' ── Add(b') ── QuantizeLinear ── c
 * ```
 */
export async function dequantizeOperator(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  const form = formOf(node);
  if (form === undefined || intAttribute(node, 'channels_last', 0) !== 0) return;
  const input = (index: number): string => node.inputs[index] ?? '';
  const bias = form.bias === undefined ? '' : input(form.bias);
  const added = bias === '' ? '' : biasOf(work, graph, node, bias);
  if (added === undefined) return;
  const floats = [...(form.first ?? []).map(input)];
  for (const at of form.operands) {
    const steps = { scale: input(at + 1), zeroPoint: input(at + 2), sharing: sharingOf(node) };
    floats.push(await work.operand(graph, node, input(at), steps));
  }
  if (added !== '') floats.push(added);
  const [integers = ''] = node.outputs;
  const [scale, zeroPoint] = [input(form.result), input(form.result + 1)];
  const real = scale === '' ? integers : graph.uniqueName(`${integers}_float`);
  const attributes = node.attributes.filter((one) => form.without?.includes(one.name) !== true);
  const more = extraOf(work, graph, node, integers);
  const { opType } = form;
  const float = { ...node, domain: '', opType, inputs: [...floats, ...more.inputs], outputs: [real] };
  const next: Node = { ...float, attributes: attributes.filter((one) => !more.without.includes(one.name)) };
  if (scale === '') {
    work.replace(graph, node, next);
    return;
  }
  const quantize = createNode({
    ...{ name: graph.uniqueName(`${integers}_QuantizeLinear`), opType: 'QuantizeLinear' },
    ...{ inputs: [real, scale, ...(zeroPoint === '' ? [] : [zeroPoint])], outputs: [integers] },
  });
  work.replace(graph, node, next, quantize);
  const clipped = await clippedBefore(work, graph, quantize, real, { scale, zeroPoint });
  work.round(graph, integers, { float: clipped, scale, zeroPoint });
}

function formOf(node: Node): Form | undefined {
  if (node.opType === 'QLinearConcat') {
    const operands = Array.from({ length: Math.floor((node.inputs.length - 2) / 3) }, (_, at) => 2 + 3 * at);
    return { opType: 'Concat', operands, result: 0 };
  }
  if (node.opType === 'QLinearReduceMean') return { opType: 'ReduceMean', operands: [0], result: 3 };
  return lookup(FORMS, node.opType);
}

/** Along which axis an operator has several scales for its weight. */
function sharingOf(node: Node): Sharing {
  if (node.opType === 'QLinearConv') return { axis: 0, block: 0 };
  return { axis: node.opType === 'QGemm' && intAttribute(node, 'transB', 0) !== 0 ? 0 : 1, block: 0 };
}

/** From opset 18 on, the axes of ReduceMean are an input. */
const AXES_OPSET = 18;

function extraOf(
  work: Rewriting,
  graph: Graph,
  node: Node,
  base: string,
): { readonly inputs: readonly string[]; readonly without: readonly string[] } {
  const axes = node.opType === 'QLinearReduceMean' ? intsAttribute(node, 'axes') : undefined;
  if (axes === undefined || work.model.opset < AXES_OPSET) return { inputs: [], without: [] };
  const name = graph.uniqueName(`${base}_axes`);
  graph.root.addInitializer(constant(name, 'int64', [axes.length], BigInt64Array.from(axes, BigInt)));
  return { inputs: [name], without: ['axes'] };
}

/**
 * The bias of a QLinearConv or QGemm as floats: its scale is that of the products, `x_scale · W_scale`, times alpha.
 * @returns undefined if it is not a constant
 */
function biasOf(work: Rewriting, graph: Graph, node: Node, bias: string): string | undefined {
  const held = sourceConstant(graph, bias)?.held;
  const scales = [1, 4].map((index) => sourceTensor(graph, node.inputs[index] ?? ''));
  const [x, w] = scales;
  if (held === undefined || x === undefined || w === undefined || isVariable(work.model, held)) return undefined;
  if (held.tensor.dtype !== 'int32' || held.graph.kind === 'function') return undefined;
  const { dims } = held.tensor;
  const scale = productOf(x, w, floatAttribute(node, 'alpha', 1));
  const granularity = scale && granularityOf(dims, scale.dims);
  if (scale === undefined || granularity === undefined) return undefined;
  return work.weights.of(held, decodableOf({ data: held.tensor, granularity, scale }, true));
}

/** The products of one scale and several. */
function productOf(x: Tensor, w: Tensor, alpha: number): Tensor | undefined {
  if (!isFloat(x.dtype) || !isFloat(w.dtype) || elementCount(x.dims) !== 1) return undefined;
  const [one, several] = [x.dtype, w.dtype];
  return derived(w.name, 'float32', [elementCount(w.dims)], async () => {
    const step = toFloat32(await x.load(), one)[0] ?? 0;
    return toFloat32(await w.load(), several).map((own) => step * own * alpha);
  });
}
