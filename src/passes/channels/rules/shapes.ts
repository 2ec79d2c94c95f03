import { intAttribute } from '../../../ir/node.ts';
import type { Rule, Rules } from '../analysis.ts';
import { known, product, sizeOf } from '../dims.ts';
import { type Element, MAX_NUMBERS } from '../values.ts';

/** The lengths of a value, each with the axis it belongs to. */
const shape: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  if (x === undefined) return;
  const rank = x.dims.length;
  const clamp = (value: number): number => Math.min(Math.max(value < 0 ? value + rank : value, 0), rank);
  const [start, end] = [clamp(intAttribute(node, 'start', 0)), clamp(intAttribute(node, 'end', rank))];
  const elements = x.dims.map((dim, index): Element => {
    const axis = x.axes[index];
    return axis === undefined ? { dim, reads: [] } : { dim, from: axis, reads: [axis] };
  });
  const taken = elements.slice(start, end);
  a.put(node, { dims: [known(taken.length)], axes: [undefined], elements: taken });
};

const size: Rule = (node, a) => {
  a.pinValue(node.inputs[0], a.because(node, 'counts their elements'));
  a.put(node, { dims: [], axes: [] });
};

/** A tensor of a computed shape, filled with one number. */
const constantOfShape: Rule = (node, a) => {
  const target = a.value(node.inputs[0]);
  if (target?.elements === undefined) return void a.giveUp(node, 'creates a tensor of a computed shape');
  a.pinReads(node, target.elements);
  const dims = target.elements.map((one) => one.dim ?? a.openDim());
  const axes = dims.map(() => undefined);
  const [count, fill] = [sizeOf(product(dims)), a.fillOf(node)];
  const counted = dims.length < 2 && count !== undefined && count <= MAX_NUMBERS && fill !== undefined;
  const elements = counted ? Array.from({ length: count }, (): Element => ({ dim: fill, reads: [] })) : undefined;
  a.put(node, { dims, axes, ...(elements === undefined ? {} : { elements }) });
};

/** Numbers from start to limit, such as the positions of a sequence. If they start at 0, their count is its length. */
const range: Rule = (node, a) => {
  for (const name of node.inputs) a.pinValue(name, a.because(node, 'counts up to their number'));
  const [start, limit, delta] = node.inputs.map((name) => a.value(name)?.elements?.[0]?.dim);
  const counts = sizeOf(start) === 0 && sizeOf(delta) === 1 && limit !== undefined && limit.factor >= 0;
  a.put(node, { dims: [counts ? limit : a.openDim()], axes: [undefined] });
};

export const shapes: Rules = { Shape: shape, Size: size, ConstantOfShape: constantOfShape, Range: range };
