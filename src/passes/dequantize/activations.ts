import { isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { attribute, createNode, isOp, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';
import { constant } from '../../ir/tensor.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { sourceTensor } from '../../schemes/decodable.ts';
import { unpacked } from '../../schemes/packed.ts';
import type { Rewriting } from './rewriting.ts';

/** Operators that move elements or take their maximum: they do the same on floats as on integers. */
const MOVERS = [
  ...['Identity', 'Transpose', 'Slice', 'Split', 'Gather', 'GatherElements', 'GatherND', 'Expand', 'Tile', 'Concat'],
  ...['MaxPool', 'ReduceMax', 'ReduceMin', 'DepthToSpace', 'SpaceToDepth', ...RESHAPES],
];

/** Records that the integers a QuantizeLinear or DynamicQuantizeLinear makes represent a float value. */
export async function quantizeLinear(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  const [float = ''] = node.inputs;
  if (node.opType === 'DynamicQuantizeLinear') {
    const [integers = '', scale = '', zeroPoint = ''] = node.outputs;
    work.round(graph, integers, { float, scale, zeroPoint });
    return;
  }
  const [, scale = '', zeroPoint = ''] = node.inputs;
  const clipped = await clippedBefore(work, graph, node, float, { scale, zeroPoint });
  work.round(graph, node.outputs[0] ?? '', { float: clipped, scale, zeroPoint });
}

/** Adds, beside a node that moves integers, one that does the same with their floats. */
export async function move(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  if (!MOVERS.some((opType) => isOp(node, opType))) return;
  const count = isOp(node, 'Concat') ? node.inputs.length : 1;
  const first = work.standing(graph, node.inputs[0] ?? '');
  if (first === undefined) return;
  const { scale, zeroPoint } = first;
  const inputs = [...node.inputs];
  for (let index = 0; index < count; index++) {
    const float = await work.floatOf(graph, inputs[index] ?? '', scale, zeroPoint);
    if (float === undefined) return;
    inputs[index] = float;
  }
  // The second output of MaxPool, its indices, stays with the integers.
  const given = isOp(node, 'MaxPool') ? node.outputs.slice(0, 1) : node.outputs;
  const outputs = given.map((one) => (one === '' ? '' : graph.uniqueName(`${one}_dequantized`)));
  const name = graph.uniqueName(`${node.name || outputs[0]}_float`);
  graph.insertBefore(node, { ...node, name, inputs, outputs });
  for (const [index, float] of outputs.entries()) {
    if (float !== '') work.stand(graph, given[index] ?? '', { float, scale, zeroPoint });
  }
}

/** Products and sums after which quantizers remove a Relu if the integers start at 0. */
const CUT = [
  'Conv',
  'ConvTranspose',
  'Gemm',
  'MatMul',
  'Add',
  'Sum',
  'Sub',
  'BatchNormalization',
  'InstanceNormalization',
];
/** The upper bound of ReLU6, and how far the largest number of its integers may be from it. */
const SIX = { value: 6, tolerance: 0.05 } as const;

/**
 * The value, with the Relu or ReLU6 restored that a quantizer removed before its QuantizeLinear: integers that start at
 * 0 clip negative numbers, and no other node does.
 */
export async function clippedBefore(
  work: Rewriting,
  graph: Graph,
  anchor: Node,
  float: string,
  steps: { readonly scale: string; readonly zeroPoint: string },
): Promise<string> {
  const producer = graph.producer(float);
  if (producer === undefined || !CUT.some((opType) => isOp(producer, opType))) return float;
  const [scale, zero] = [sourceTensor(graph, steps.scale), sourceTensor(graph, steps.zeroPoint)];
  const bounds = zero === undefined ? { low: 0, high: 255 } : BOUNDS[zero.dtype as keyof typeof BOUNDS];
  if (scale === undefined || !isFloat(scale.dtype) || bounds === undefined || scale.dims.some((dim) => dim > 1))
    return float;
  if (zero === undefined && steps.zeroPoint !== '') return float;
  const middle = zero === undefined ? 0 : (unpacked(await zero.load(), zero.dtype)[0] ?? 0);
  if (middle !== bounds.low) return float;
  const step = toFloat32(await scale.load(), scale.dtype)[0] ?? 0;
  const six = Math.abs((bounds.high - middle) * step - SIX.value) < SIX.tolerance;
  const output = graph.uniqueName(`${float}_cut`);
  const name = graph.uniqueName(`${output}_${six ? 'Clip' : 'Relu'}`);
  work.count(six ? 'clips' : 'relus');
  graph.insertBefore(
    anchor,
    six
      ? clip(work, graph, name, float, output)
      : createNode({ name, opType: 'Relu', inputs: [float], outputs: [output] }),
  );
  return output;
}

const BOUNDS = {
  uint8: { low: 0, high: 255 },
  int8: { low: -128, high: 127 },
  uint16: { low: 0, high: 65535 },
  int16: { low: -32768, high: 32767 },
} as const;

/** Up to opset 10 the bounds are attributes. */
function clip(work: Rewriting, graph: Graph, name: string, input: string, output: string): Node {
  if (work.model.opset < 11) {
    const attributes = [attribute.float('min', 0), attribute.float('max', SIX.value)];
    return createNode({ name, opType: 'Clip', inputs: [input], outputs: [output], attributes });
  }
  const bound = (value: number): string => {
    const of = graph.uniqueName(`${output}_bound`);
    graph.root.addInitializer(constant(of, 'float32', [], Float32Array.of(value)));
    return of;
  };
  return createNode({ name, opType: 'Clip', inputs: [input, bound(0), bound(SIX.value)], outputs: [output] });
}
