import { findAttribute, intAttribute, intsAttribute, isOp, type Node } from '../../../ir/node.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { known } from '../dims.ts';
import { axisOf, type Value } from '../values.ts';
import { broadcast } from './elementwise.ts';
import { inputOf, ownVectors, readOwn } from './own.ts';

/** Scale, shift and fixed statistics: each channel of axis 1 by itself. */
const perChannel: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const statistics =
    node.outputs.filter((one) => one !== '').length > 1 ||
    intAttribute(node, 'training_mode', 0) === 1 ||
    (isOp(node, 'BatchNormalization') && a.model.opset < 7 && intAttribute(node, 'is_test', 0) === 0);
  if (statistics || intAttribute(node, 'spatial', 1) === 0 || (x !== undefined && x.dims.length < 2)) {
    a.giveUp(node, 'updates its statistics, or has separate ones per pixel');
    return;
  }
  const pin = a.because(node, 'has computed parameters, or reads a value of unknown shape');
  const own = ownVectors(node, a, 1);
  let axis = x?.axes[1];
  for (let index = 1; index < node.inputs.length; index++) {
    const parameter = inputOf(node, a, own, index)?.axes[0];
    a.space.couple(axis, parameter, pin);
    axis ??= parameter;
  }
  if (x !== undefined) a.put(node, { dims: x.dims, axes: x.axes });
  readOwn(node, a, own);
};

/** As BatchNormalization, with statistics of the image itself: of each row and channel, over all axes from 2 on. */
const instanceNormalization: Rule = (node, a) => {
  const pin = a.because(node, 'computes their mean and variance, which would change');
  for (const axis of a.value(node.inputs[0])?.axes.slice(2) ?? []) a.space.pin(axis, pin);
  perChannel(node, a);
};

/**
 * Mean and variance over all axes from `axis` on: removing a feature changes both. Scale and shift may have earlier
 * axes too.
 */
const layerNormalization: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const own = ownVectors(node, a, 1);
  const parameters = node.inputs.flatMap((name, index) =>
    name === '' || index === 0 ? [] : [inputOf(node, a, own, index)],
  );
  if (x === undefined || parameters.some((one) => one === undefined)) {
    a.giveUp(node, 'normalizes a value of unknown shape, or has a scale of unknown shape');
    if (x !== undefined) a.put(node, { dims: x.dims, axes: x.axes });
    return;
  }
  const first = axisOf(x, intAttribute(node, 'axis', -1));
  const pin = a.because(node, 'computes their mean and variance, which would change');
  const follows = a.normalized && first === x.dims.length - 1 && node.outputs.slice(1).every((one) => one === '');
  if (!follows) for (const axis of x.axes.slice(first)) a.space.pin(axis, pin);
  broadcast(a, node, [x, ...(parameters as Value[])]);
  a.put(node, { dims: x.dims, axes: x.axes });
  const statistics = {
    dims: x.dims.map((dim, index) => (index < first ? dim : known(1))),
    axes: x.axes.map((axis, index) => (index < first ? axis : undefined)),
  };
  for (const index of [1, 2]) a.put(node, statistics, index);
  readOwn(node, a, own);
};

/** Operators that mix the elements of some axes: these are pinned, the other axes keep their channels. */
function mixes(what: string, axesOf: (node: Node, x: Value, a: Analysis) => readonly number[]): Rule {
  return (node, a) => {
    const x = a.value(node.inputs[0]);
    const pin = a.because(node, what);
    for (const name of node.inputs.slice(1)) a.pinValue(name, pin);
    if (x === undefined) return;
    for (const at of axesOf(node, x, a)) a.space.pin(x.axes[axisOf(x, at)], pin);
    a.pinReads(node, x.elements);
    a.put(node, { dims: x.dims, axes: x.axes });
  };
}

const from = (x: Value, first: number): number[] => [...x.dims.keys()].slice(Math.max(first, 0));

/** Up to opset 12, all axes from `axis` on are flattened into one. */
const softmaxAxes = (node: Node, x: Value, a: Analysis): number[] =>
  a.model.opset >= 13 ? [intAttribute(node, 'axis', -1)] : from(x, axisOf(x, intAttribute(node, 'axis', 1)));

/** Opset 1 has a flag instead of axes. */
const varianceAxes = (node: Node, x: Value): readonly number[] =>
  findAttribute(node, 'across_channels') === undefined ? (intsAttribute(node, 'axes') ?? [0, 2, 3]) : from(x, 0);

export const normalization: Rules = {
  BatchNormalization: perChannel,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: layerNormalization,
  Softmax: mixes('sums over them', softmaxAxes),
  LogSoftmax: mixes('sums over them', softmaxAxes),
  Hardmax: mixes('compares them', softmaxAxes),
  LpNormalization: mixes('computes their norm', (node) => [intAttribute(node, 'axis', -1)]),
  LRN: mixes('sums over their neighbours', () => [1]),
  GroupNormalization: mixes('computes the mean and variance of groups of them', (_, x) => from(x, 1)),
  MeanVarianceNormalization: mixes('computes their mean and variance', varianceAxes),
  CumSum: mixes('accumulates them in order', (node, x, a) => {
    const [at] = a.settings(node, 1) ?? [];
    return at === undefined ? from(x, 0) : [at];
  }),
  Trilu: mixes('depends on their position', (_, x) => [x.dims.length - 2, x.dims.length - 1]),
};
