import { intAttribute, type Node } from '../../../ir/node.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { type Dim, known, sizeOf } from '../dims.ts';
import { axisOf, type Value } from '../values.ts';

/**
 * An operator that selects by position: all channels it reads are pinned, but the lengths of its output are known. So a
 * mask or a table of positions that it makes pins no further channels.
 */
function places(dimsOf: (node: Node, inputs: readonly Value[], a: Analysis) => readonly Dim[] | undefined): Rule {
  return (node, a) => {
    a.giveUp(node, 'selects them by index');
    const inputs = node.inputs.map((name) => a.value(name));
    const dims = inputs.some((one) => one === undefined) ? undefined : dimsOf(node, inputs as Value[], a);
    if (dims === undefined) return;
    node.outputs.forEach((_name, index) => {
      a.put(node, { dims, axes: dims.map(() => undefined) }, index);
    });
  };
}

/** `indices[…, k]` is a position in the first k axes after the batch axes. */
function gatheredDims(node: Node, [data, indices]: readonly Value[]): readonly Dim[] | undefined {
  const named = sizeOf(indices?.dims.at(-1));
  if (data === undefined || indices === undefined || named === undefined) return undefined;
  return [...indices.dims.slice(0, -1), ...data.dims.slice(intAttribute(node, 'batch_dims', 0) + named)];
}

function topDims(node: Node, [x]: readonly Value[], a: Analysis): readonly Dim[] | undefined {
  const at = x === undefined ? 0 : axisOf(x, intAttribute(node, 'axis', -1));
  return x?.dims.map((dim, axis) => (axis === at ? a.openDim() : dim));
}

export const picking: Rules = {
  GatherElements: places((_node, [, indices]) => indices?.dims),
  GatherND: places(gatheredDims),
  ScatterElements: places((_node, [data]) => data?.dims),
  ScatterND: places((_node, [data]) => data?.dims),
  ReverseSequence: places((_node, [x]) => x?.dims),
  EyeLike: places((_node, [x]) => x?.dims),
  NonZero: places((_node, [x], a) => x && [known(x.dims.length), a.openDim()]),
  TopK: places(topDims),
};
