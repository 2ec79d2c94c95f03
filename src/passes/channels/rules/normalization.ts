import { findAttribute, intAttribute, intsAttribute, type Node } from '../../../ir/node.ts';
import type { Analysis } from '../analysis.ts';
import { axisOf, type Value } from '../values.ts';
import { pinReads } from './elementwise.ts';
import type { Rule, Rules } from './index.ts';

/** A scale, a shift and fixed or per-channel statistics: each channel by itself, on axis 1. */
const perChannel: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const statistics =
    node.outputs.filter((one) => one !== '').length > 1 || intAttribute(node, 'training_mode', 0) === 1;
  if (statistics || intAttribute(node, 'spatial', 1) === 0 || (x !== undefined && x.dims.length < 2)) {
    a.giveUp(node, 'updates its statistics, or has some for every pixel');
    return;
  }
  const pin = a.because(node, 'has parameters that are computed, or reads a value whose shape is not known');
  let axis = x?.axes[1];
  for (const name of node.inputs.slice(1)) {
    const own = a.value(name)?.axes[0];
    a.space.couple(axis, own, pin);
    axis ??= own;
  }
  if (x !== undefined) a.put(node, x.elements === undefined ? x : { dims: x.dims, axes: x.axes });
};

/** Mean and variance over the last axes: with a feature gone they are those of the others. */
const layerNormalization: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  if (x === undefined) return void a.giveUp(node, 'normalizes a value whose shape is not known');
  const first = axisOf(x, intAttribute(node, 'axis', -1));
  const pin = a.because(node, 'takes their mean and variance, which would change');
  x.axes.forEach((axis, index) => {
    if (index < first) return;
    const follows = a.normalized && first === x.dims.length - 1 && node.outputs.slice(1).every((one) => one === '');
    if (!follows) a.space.pin(axis, pin);
    for (const name of node.inputs.slice(1)) {
      const value = a.value(name);
      const own = value?.axes[index - x.dims.length + value.dims.length];
      if (name !== '') a.space.couple(axis, own, pin);
    }
  });
  a.put(node, { dims: x.dims, axes: x.axes });
};

/** Operators that mix the elements of some axes: those keep their channels, the others pass. */
function mixes(what: string, axesOf: (node: Node, x: Value, a: Analysis) => readonly number[]): Rule {
  return (node, a) => {
    const x = a.value(node.inputs[0]);
    const pin = a.because(node, what);
    for (const name of node.inputs.slice(1)) a.pinValue(name, pin);
    if (x === undefined) return;
    const axes = axesOf(node, x, a).map((one) => axisOf(x, one));
    x.axes.forEach((axis, index) => {
      if (axes.includes(index)) a.space.pin(axis, pin);
    });
    pinReads(a, node, [x]);
    a.put(node, { dims: x.dims, axes: x.axes });
  };
}

/** Up to opset 12 everything from the axis on is one. */
const softmaxAxes = (node: Node, x: Value, a: Analysis): number[] => {
  if (a.model.opset >= 13) return [intAttribute(node, 'axis', -1)];
  const first = axisOf(x, intAttribute(node, 'axis', 1));
  return x.dims.map((_, index) => index).filter((index) => index >= first);
};
const all = (_: Node, x: Value): number[] => x.dims.map((_dim, index) => index);

export const normalization: Rules = {
  BatchNormalization: perChannel,
  InstanceNormalization: perChannel,
  LayerNormalization: layerNormalization,
  RMSNormalization: layerNormalization,
  Softmax: mixes('sums over them', softmaxAxes),
  LogSoftmax: mixes('sums over them', softmaxAxes),
  Hardmax: mixes('compares them', softmaxAxes),
  LpNormalization: mixes('takes their norm', (node) => [intAttribute(node, 'axis', -1)]),
  LRN: mixes('sums over their neighbours', () => [1]),
  GroupNormalization: mixes('takes the mean and variance of a group of them', () => [1]),
  MeanVarianceNormalization: mixes('takes their mean and variance', (node) => intsAttribute(node, 'axes') ?? [0, 2, 3]),
  CumSum: mixes('adds them up in turn', (node, x, a) => {
    const [element] = a.value(node.inputs[1])?.elements ?? [];
    const at = element?.dim?.symbols.length === 0 ? element.dim.factor : undefined;
    return at === undefined || findAttribute(node, 'axis') !== undefined ? all(node, x) : [at];
  }),
  Trilu: mixes('looks at where they are', (_, x) => [x.dims.length - 2, x.dims.length - 1]),
};
