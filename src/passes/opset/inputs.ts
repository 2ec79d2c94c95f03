import {
  attribute,
  bigintAttribute,
  bigintsAttribute,
  createNode,
  findAttribute,
  floatAttribute,
  intAttribute,
} from '../../ir/node.ts';
import { type Adapted, type Adapter, rewritten, type Scope, without } from './adapter.ts';

/** The largest float32, the default bound of Clip up to opset 6. */
const FLOAT32_MAX = 3.4028234663852886e38;

/**
 * A list of integers that was an attribute and becomes input 1: the axes of Squeeze, Unsqueeze and the reductions, the
 * lengths of Split. Absent and empty lists stay absent.
 */
export function listToInput(name: string): Adapter {
  return (node, scope) => {
    const list = bigintsAttribute(node, name);
    if (list === undefined || list.length === 0) return rewritten(node, { attributes: without(node, name) });
    const inputs = [node.inputs[0] ?? '', scope.addInts(name, list)];
    return rewritten(node, { inputs, attributes: without(node, name) });
  };
}

/**
 * ```
 * before: Clip <min, max> (x)        after: Clip (x, min, max)
 * ```
 * An absent bound stays absent for float32, where the old default is the new one.
 */
export const clipTo11: Adapter = (node, scope) => {
  const dtype = scope.facts.dtype(scope.graph, node.inputs[0] ?? '');
  const bound = (name: 'min' | 'max', fallback: number): Adapted | string => {
    if (findAttribute(node, name) === undefined && dtype === 'float32') return '';
    const added = scope.addFloat(name, dtype, floatAttribute(node, name, fallback));
    return added ?? { refused: `its bounds become tensors of type ${dtype ?? 'unknown'}; only floats are supported` };
  };
  const [min, max] = [bound('min', -FLOAT32_MAX), bound('max', FLOAT32_MAX)];
  if (typeof min !== 'string') return min;
  if (typeof max !== 'string') return max;
  const inputs = [node.inputs[0] ?? '', ...(max !== '' ? [min, max] : min !== '' ? [min] : [])];
  return rewritten(node, { inputs, attributes: without(node, 'min', 'max') });
};

/** `Slice <axes, starts, ends> (x)` becomes `Slice (x, starts, ends, axes)`. */
export const sliceTo10: Adapter = (node, scope) => {
  const starts = bigintsAttribute(node, 'starts') ?? [];
  const ends = bigintsAttribute(node, 'ends') ?? [];
  const axes = bigintsAttribute(node, 'axes') ?? starts.map((_, axis) => BigInt(axis));
  const inputs = [
    node.inputs[0] ?? '',
    scope.addInts('starts', starts),
    scope.addInts('ends', ends),
    scope.addInts('axes', axes),
  ];
  return rewritten(node, { inputs, attributes: without(node, 'starts', 'ends', 'axes') });
};

/** `TopK <k> (x)` becomes `TopK (x, k)`. */
export const topKTo10: Adapter = (node, scope) =>
  rewritten(node, {
    inputs: [node.inputs[0] ?? '', scope.addInts('k', [bigintAttribute(node, 'k', 0n)])],
    attributes: without(node, 'k'),
  });

/** `Pad <pads, value> (x)` becomes `Pad (x, pads, constant_value)`; a value of 0 is the default and stays absent. */
export const padTo11: Adapter = (node, scope) => {
  const value = floatAttribute(node, 'value', 0);
  const inputs = [node.inputs[0] ?? '', scope.addInts('pads', bigintsAttribute(node, 'pads') ?? [])];
  if (value !== 0) {
    const dtype = scope.facts.dtype(scope.graph, inputs[0] ?? '');
    const added = scope.addFloat('value', dtype, value);
    if (added === undefined) {
      return { refused: `its value becomes a tensor of type ${dtype ?? 'unknown'}; only floats are supported` };
    }
    inputs.push(added);
  }
  return rewritten(node, { inputs, attributes: without(node, 'pads', 'value') });
};

/** Whether an output of the node is read, so that it cannot be left out. */
function isRead(scope: Scope, output: string | undefined): boolean {
  return output !== undefined && output !== '' && scope.graph.uses(output).length > 0;
}

/** The mask changed from the data's type to bool, and from unspecified to all true. */
export const dropoutTo10: Adapter = (node, scope) => {
  if (isRead(scope, node.outputs[1])) return { refused: 'its mask is used, which was a float tensor before opset 10' };
  return node.outputs.length < 2 ? { nodes: [node] } : rewritten(node, { outputs: node.outputs.slice(0, 1) });
};

/**
 * `Dropout <ratio> (x)` becomes `Dropout (x, ratio)`: without a third input it does nothing, as in inference before.
 */
export const dropoutTo12: Adapter = (node, scope) => {
  if (isRead(scope, node.outputs[1])) {
    return { refused: 'its mask is used, which is unspecified in inference before opset 12 and all true from then on' };
  }
  const ratio = findAttribute(node, 'ratio');
  const inputs = [node.inputs[0] ?? ''];
  if (ratio?.type === 'float') inputs.push(scope.add('ratio', 'float32', [], Float32Array.of(ratio.value)));
  return rewritten(node, { inputs, outputs: node.outputs.slice(0, 1), attributes: without(node, 'ratio') });
};

/** Split without lengths has to state the number of outputs. */
export const splitTo18: Adapter = (node) => {
  if (node.inputs[1] !== undefined && node.inputs[1] !== '') return { nodes: [node] };
  return rewritten(node, { attributes: [...node.attributes, attribute.int('num_outputs', node.outputs.length)] });
};

/** `DFT <axis = 1> (x, length)` becomes `DFT (x, length, axis)`: the default axis changed. */
export const dftTo20: Adapter = (node, scope) =>
  rewritten(node, {
    inputs: [node.inputs[0] ?? '', node.inputs[1] ?? '', scope.addInts('axis', bigintAttribute(node, 'axis', 1n))],
    attributes: without(node, 'axis'),
  });

/**
 * Up to opset 12, Softmax, LogSoftmax and Hardmax see a matrix: all dims before `axis`, and all from it on. Where only
 * one dim from `axis` on is not 1, that is the new meaning already; otherwise the matrix is made explicitly:
 * ```
 * before:                                 after:
 *    x ── Softmax <axis = 1> ── y            x ── Flatten <axis = 1> ── Softmax <axis = -1> ── Reshape ── y
 *                                            └── Shape ─────────────────────────────────────────┘
 * ```
 */
export const softmaxTo13: Adapter = (node, scope) => {
  const [x = ''] = node.inputs;
  const axis = intAttribute(node, 'axis', 1);
  const rank = scope.facts.rank(scope.graph, x);
  const rest = rank === undefined ? undefined : (axis + rank) % rank;
  const dims = scope.graph.typeOf(x)?.dims;
  if (
    axis === -1 ||
    (rest !== undefined && (rest === (rank ?? 0) - 1 || dims?.slice(rest + 1).every((dim) => dim === 1)))
  ) {
    const has = findAttribute(node, 'axis') !== undefined;
    return has ? { nodes: [node] } : rewritten(node, { attributes: [...node.attributes, attribute.int('axis', axis)] });
  }
  const [shape, flat, soft] = [scope.name('shape'), scope.name('flat'), scope.name('2d')];
  const attributes = [...without(node, 'axis'), attribute.int('axis', -1)];
  return {
    nodes: [
      createNode({ opType: 'Shape', name: shape, inputs: [x], outputs: [shape] }),
      createNode({
        opType: 'Flatten',
        name: flat,
        inputs: [x],
        outputs: [flat],
        attributes: [attribute.int('axis', axis)],
      }),
      { ...node, inputs: [flat], outputs: [soft], attributes },
      createNode({ opType: 'Reshape', name: scope.name('reshape'), inputs: [soft, shape], outputs: node.outputs }),
    ],
  };
};
