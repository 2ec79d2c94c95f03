import { findAttribute, type Node, stringAttribute } from '../../../ir/node.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { type Dim, known, same, sizeOf } from '../dims.ts';
import type { Axis } from '../space.ts';
import { type Element, MAX_NUMBERS, type Value } from '../values.ts';
import { MIXED_OPSET, setInput } from './write.ts';

/** Resize: an axis with scale 1, or with its own length as size, keeps its channels. */
const resize: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const old = node.opType === 'Upsample' || a.model.opset < 11;
  const scales = a.value(node.inputs[old ? 1 : 2])?.floats ?? scalesAttribute(node);
  const sizesName = old ? '' : (node.inputs[3] ?? '');
  const sizes = a.value(sizesName);
  const several =
    findAttribute(node, 'axes') !== undefined || findAttribute(node, 'keep_aspect_ratio_policy') !== undefined;
  // A region of interest also crops axes with scale 1.
  const crops = stringAttribute(node, 'coordinate_transformation_mode', '') === 'tf_crop_and_resize';
  if (x === undefined || several || crops) {
    a.giveUp(node, 'resizes a value of unknown shape, chosen axes, or a region');
    return;
  }
  a.pinReads(node, x.elements);
  const pin = a.because(node, 'resizes them');
  for (const name of node.inputs.slice(1)) if (name !== sizesName) a.pinValue(name, pin);
  if (scales?.length === x.dims.length && sizesName === '') {
    const keeps = scales.map((one) => one === 1);
    return void put(a, node, x, keeps, pin);
  }
  if (sizes?.elements?.length !== x.dims.length) {
    a.giveUp(node, 'resizes to a computed size');
    return;
  }
  const { elements } = sizes;
  const isSame = (one: Element, dim: Dim): boolean => one.dim !== undefined && same(one.dim, dim);
  const keeps = keepsOf(a, node, x, elements, isSame, sizes.isConstant === true);
  put(a, node, x, keeps, pin);
  if (sizes.isConstant !== true) return;
  a.edit(node, x.axes, (view) => {
    const lengths = elements.map((one, index) => {
      const axis = x.axes[index];
      return axis === undefined || !keeps[index] ? (sizeOf(one.dim) ?? 0) : view.size(axis);
    });
    return { inputs: setInput(node, 3, view.ints(`${node.outputs[0]}_sizes`, lengths)) };
  });
};

function scalesAttribute(node: Node): readonly number[] | undefined {
  const found = findAttribute(node, 'scales');
  return found?.type === 'floats' ? found.value : undefined;
}

function put(a: Analysis, node: Node, x: Value, keeps: readonly boolean[], pin: ReturnType<Analysis['because']>): void {
  x.axes.forEach((axis, index) => {
    if (!keeps[index]) a.space.pin(axis, pin);
  });
  a.put(node, {
    dims: x.dims.map((dim, index): Dim => (keeps[index] ? dim : a.openDim())),
    axes: x.axes.map((axis, index): Axis | undefined => (keeps[index] ? axis : undefined)),
  });
}

/**
 * Which axes keep their length: those whose number can be updated, or is this axis's own length at run time. An axis is
 * pinned by any other number that was read from it.
 */
function keepsOf(
  a: Analysis,
  node: Node,
  x: Value,
  elements: readonly Element[],
  isSame: (element: Element, dim: Dim) => boolean,
  isWritten: boolean,
): boolean[] {
  const offset = elements.length - x.dims.length;
  return elements.map((element, index) => {
    const axis = x.axes[index - offset];
    const dim = x.dims[index - offset];
    const keeps = dim !== undefined && isSame(element, dim);
    const follows = keeps && (axis === undefined || isWritten || element.from === axis);
    const isReplaced = follows && axis !== undefined;
    if (!isReplaced) a.pinReads(node, [element]);
    if (!follows) a.space.pin(axis, a.because(node, 'has a computed shape'));
    return keeps;
  });
}

/** Expand: dims other than 1 keep their channels. */
const expand: Rule = (node, a) => {
  const [x, target] = [a.value(node.inputs[0]), a.value(node.inputs[1])];
  const elements = target?.elements ?? unknownElements(target);
  if (x === undefined || target === undefined || elements === undefined) {
    a.giveUp(node, 'expands a value of unknown shape, or to an unknown shape');
    return;
  }
  if (target.elements === undefined) a.giveUp(node, 'expands them to an unknown shape');
  a.pinReads(node, x.elements);
  const rank = Math.max(x.dims.length, elements.length);
  const at = <T>(list: readonly T[], index: number): T | undefined => list[index - rank + list.length];
  const isSame = (element: Element, dim: Dim): boolean =>
    element.dim !== undefined && (same(element.dim, dim) || same(element.dim, known(1)));
  const rewrites = target.isConstant === true || a.model.opset >= MIXED_OPSET;
  keepsOf(a, node, x, elements, (element, dim) => isSame(element, dim) && !same(dim, known(1)), rewrites);
  const dims: Dim[] = [];
  const axes: (Axis | undefined)[] = [];
  for (let index = 0; index < rank; index++) {
    const dim = at(x.dims, index) ?? known(1);
    const element = at(elements, index);
    const grows = same(dim, known(1));
    dims.push(grows ? (element === undefined ? dim : (element.dim ?? a.openDim())) : expanded(a, dim, element));
    axes.push(grows ? undefined : at(x.axes, index));
  }
  a.put(node, { dims, axes });
  if (!rewrites) return;
  // 1 keeps the length of an axis.
  a.edit(node, x.axes, (view) => {
    const lengths = elements.map((one, index) => {
      const axis = at(x.axes, index + rank - elements.length);
      if (axis !== undefined) return 1;
      return target.isConstant === true ? (sizeOf(one.dim) ?? 1) : undefined;
    });
    return { inputs: setInput(node, 1, view.lengths(node, 1, `${node.outputs[0]}_shape`, lengths)) };
  });
};

/** The length after Expand, if the input's is not known to be 1. */
function expanded(a: Analysis, dim: Dim, element: Element | undefined): Dim {
  if (sizeOf(dim) !== undefined || element === undefined) return dim;
  if (element.dim === undefined) return a.openDim();
  if (same(element.dim, dim) || same(element.dim, known(1))) return dim;
  // A symbolic length may be 1 and then be repeated; a length with an upper bound then equals the bound.
  const bound = a.boundOf(dim);
  return bound !== undefined && same(bound, element.dim) ? bound : a.openDim();
}

/** Unknown numbers, as many as a computed shape has. */
function unknownElements(target: Value | undefined): Element[] | undefined {
  const rank = target?.dims.length === 1 ? sizeOf(target.dims[0]) : undefined;
  return rank === undefined || rank > MAX_NUMBERS
    ? undefined
    : Array.from({ length: rank }, (): Element => ({ dim: undefined, reads: [] }));
}

export const resizing: Rules = { Resize: resize, Upsample: resize, Expand: expand };
