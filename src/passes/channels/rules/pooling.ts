import { intAttribute, intsAttribute, isOp, type Node, stringAttribute } from '../../../ir/node.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { type Dim, known, sizeOf } from '../dims.ts';
import { axisOf, type Value } from '../values.ts';

/** Each channel by itself; the image becomes smaller. */
const pool: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  if (x === undefined || x.dims.length < 3) return void a.giveUp(node, 'pools a value of unknown shape');
  for (const axis of x.axes.slice(2)) a.space.pin(axis, a.because(node, 'pools over them'));
  // Indices count through all rows and channels.
  const [, indices = ''] = node.outputs;
  if (indices !== '') for (const axis of x.axes) a.space.pin(axis, a.because(node, 'returns indices over all of them'));
  const dims = [...x.dims.slice(0, 2), ...x.dims.slice(2).map((dim, axis) => pooled(a, node, dim, axis))];
  a.put(node, { dims, axes: [...x.axes.slice(0, 2), ...x.dims.slice(2).map(() => undefined)] });
};

function pooled(a: Analysis, node: Node, dim: Dim, axis: number): Dim {
  if (node.opType.startsWith('Global')) return known(1);
  const size = sizeOf(dim);
  const kernel = intsAttribute(node, 'kernel_shape');
  const pads = intsAttribute(node, 'pads') ?? [];
  const stride = intsAttribute(node, 'strides')?.[axis] ?? 1;
  const dilation = intsAttribute(node, 'dilations')?.[axis] ?? 1;
  const length = kernel?.[axis];
  const plain = stringAttribute(node, 'auto_pad', 'NOTSET') === 'NOTSET' && intAttribute(node, 'ceil_mode', 0) === 0;
  if (size === undefined || length === undefined || !plain || stride < 1) return a.openDim();
  const around = (pads[axis] ?? 0) + (pads[axis + (kernel?.length ?? 0)] ?? 0);
  return known(Math.max(0, Math.floor((size + around - dilation * (length - 1) - 1) / stride) + 1));
}

/** Reduced axes are pinned: fewer elements have a different mean. The other axes keep their channels. */
const reduce: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const axes = x && axesOf(a, node, x);
  if (x === undefined || axes === undefined) {
    a.giveUp(node, 'reduces a value of unknown shape, or over computed axes');
    return;
  }
  const keeps = intAttribute(node, 'keepdims', 1) === 1;
  const made: { dims: Dim[]; axes: (Value['axes'][number] | undefined)[] } = { dims: [], axes: [] };
  x.dims.forEach((dim, index) => {
    const reduced = axes.includes(index);
    if (reduced) a.space.pin(x.axes[index], a.because(node, 'reduces over them'));
    if (reduced && !keeps) return;
    made.dims.push(reduced ? known(1) : dim);
    made.axes.push(reduced ? undefined : x.axes[index]);
  });
  a.pinReads(node, x.elements);
  a.put(node, made);
};

/** Undefined where the axes are computed. */
function axesOf(a: Analysis, node: Node, x: Value): readonly number[] | undefined {
  if (isOp(node, 'ArgMax') || isOp(node, 'ArgMin')) return [axisOf(x, intAttribute(node, 'axis', 0))];
  const isInput = (node.inputs[1] ?? '') !== '';
  const stated = isInput ? a.settings(node, 1) : intsAttribute(node, 'axes');
  if (stated?.some((one) => one === undefined) || (isInput && stated === undefined)) return undefined;
  if (stated === undefined || stated.length === 0) {
    return intAttribute(node, 'noop_with_empty_axes', 0) === 1 ? [] : x.dims.map((_, index) => index);
  }
  return (stated as number[]).map((one) => axisOf(x, one));
}

const REDUCES = 'L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare';
const POOLS = 'MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool';

export const pooling: Rules = {
  ...Object.fromEntries(POOLS.split(' ').map((one) => [one, pool])),
  ...Object.fromEntries(REDUCES.split(' ').map((one) => [`Reduce${one}`, reduce])),
  ...{ ArgMax: reduce, ArgMin: reduce },
};
