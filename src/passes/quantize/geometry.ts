import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import { weightAxes } from '../../layers/axes.ts';
import { gemmParts } from '../../layers/gemm.ts';

/** The layout of a Conv or Gemm weight: which elements belong to which channels. */
export interface WeightGeometry {
  /** Number of output channels and of input channels. */
  readonly outputs: number;
  readonly inputs: number;
  /** Of a Conv; 1 for a Gemm. */
  readonly groups: number;
  /** Whether the weight has its input channels first: a Gemm without transB. */
  readonly inputsFirst: boolean;
}

/** Undefined for other operators, for a Gemm that scales or transposes its input, and if the dims do not fit. */
export function geometryOf(node: Node, dims: readonly number[]): WeightGeometry | undefined {
  const isConv = isOp(node, 'Conv');
  if (!isConv && !isOp(node, 'Gemm')) return undefined;
  const { transA, alpha, beta } = gemmParts(node);
  if (!isConv && (transA || alpha !== 1 || beta !== 1 || dims.length !== 2)) return undefined;
  const axes = weightAxes({ node, index: 1, transposed: false }, dims);
  if (axes === undefined) return undefined;
  const { groups } = axes;
  const inputsFirst = axes.in === 0;
  const [rows = 0, columns = 0] = dims;
  const outputs = inputsFirst ? columns : rows;
  const inputs = (inputsFirst ? rows : columns) * groups;
  if (groups < 1 || outputs * inputs === 0 || outputs % groups !== 0) return undefined;
  return { outputs, inputs, groups, inputsFirst };
}

/** Every pair of output channel and input channel that the weight has, in the order of the weight. */
export function eachPair(
  { outputs, inputs, groups, inputsFirst }: WeightGeometry,
  visit: (at: number, output: number, input: number) => void,
): void {
  if (inputsFirst) {
    for (let input = 0, at = 0; input < inputs; input++) {
      for (let output = 0; output < outputs; output++, at++) visit(at, output, input);
    }
    return;
  }
  const own = inputs / groups;
  const filters = outputs / groups;
  for (let output = 0, at = 0; output < outputs; output++) {
    const start = Math.floor(output / filters) * own;
    for (let input = start; input < start + own; input++, at++) visit(at, output, input);
  }
}

/** `f(s·x) = s·f(x)` for every s > 0 and each channel alone. */
const HOMOGENEOUS = [
  'Relu',
  'LeakyRelu',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Identity',
] as const;
/** The most nodes followed from one layer to the next. */
export const MAX_PATH = 8;

/**
 * How a node passes the channels of its input on: `kept` one by one, or `flat` if each becomes several neighbouring
 * features.
 */
export function channelsAfter(node: Node): 'kept' | 'flat' | undefined {
  if (isOp(node, 'Flatten') && intAttribute(node, 'axis', 1) === 1) return 'flat';
  const plain = node.outputs.slice(1).every((one) => one === '');
  return plain && HOMOGENEOUS.some((op) => isOp(node, op)) ? 'kept' : undefined;
}
