import { type DType, dtypeNumber } from '../../ir/dtype.ts';
import { attribute, createNode, intAttribute, type Node } from '../../ir/node.ts';
import { type Adapter, rewritten, type Scope, without } from './adapter.ts';

/** Float types, narrowest first: each represents all numbers of the ones before it. */
const WIDTHS: readonly (DType | undefined)[] = ['float16', 'float32', 'float64'];

/**
 * ONNX Runtime's own operator has outputs of the scale's type; from opset 17 on there is one type:
 * ```
 * before:                                  after:
 *    x (float16) ── LayerNormalization        x ── Cast ── LayerNormalization
 *         scale, bias (float32) ──┘               scale, bias (float32) ──┘
 * ```
 */
export const layerNormalizationTo17: Adapter = (node, scope) => {
  const [x = '', scale = '', bias = ''] = node.inputs;
  const [from, to] = [x, scale].map((value) => scope.facts.dtype(scope.graph, value));
  if (from === undefined || to === undefined || from === to) return { nodes: [node] };
  const wide = WIDTHS[Math.max(WIDTHS.indexOf(from), WIDTHS.indexOf(to))];
  if (wide === undefined)
    return { refused: `its input is ${from} and its scale ${to}, and opset 17 requires one type` };
  const before: Node[] = [];
  const widened = (value: string, dtype: DType, part: string): string => {
    if (value === '' || dtype === wide) return value;
    const output = scope.name(part);
    before.push(castOf(scope, value, output, wide));
    return output;
  };
  const inputs = [widened(x, from, 'x'), widened(scale, to, 'scale'), widened(bias, to, 'bias')];
  const [y = '', ...statistics] = node.outputs;
  const result = to === wide ? y : scope.name('wide');
  const normalization = {
    ...node,
    inputs: bias === '' ? inputs.slice(0, 2) : inputs,
    outputs: [result, ...statistics],
  };
  return { nodes: [...before, normalization, ...(result === y ? [] : [castOf(scope, result, y, to)])] };
};

function castOf(scope: Scope, from: string, to: string, dtype: DType): Node {
  const attributes = [attribute.int('to', dtypeNumber(dtype))];
  return createNode({ opType: 'Cast', name: scope.name('Cast'), inputs: [from], outputs: [to], attributes });
}

/** Up to opset 8 it normalizes over all axes but the channels, or over all; opset 9 has `axes`. */
export const meanVarianceTo9: Adapter = (node) => {
  if (intAttribute(node, 'normalize_variance', 1) === 0) {
    return { refused: 'its attribute normalize_variance = 0 was removed in opset 9' };
  }
  const axes = intAttribute(node, 'across_channels', 0) === 0 ? [0, 2, 3] : [0, 1, 2, 3];
  const attributes = [...without(node, 'across_channels', 'normalize_variance'), attribute.ints('axes', axes)];
  return rewritten(node, { attributes });
};
