import { findAttribute, intAttribute, isOp, type Node } from '../../../ir/node.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { type Dim, known, over, plus, same, sizeOf, times } from '../dims.ts';
import type { Axis } from '../space.ts';
import type { Element, Value } from '../values.ts';
import { inputOf, ownVectors, readOwn } from './own.ts';

const UNARY =
  'Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp Floor Gelu ' +
  'HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid ' +
  'Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu';
const BROADCAST =
  'Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or ' +
  'PRelu Pow Sub Sum Where Xor';

/** Elementwise with one operand: the output has the channels of the first input. */
const unary: Rule = (node, a) => {
  const value = a.value(node.inputs[0]);
  for (const extra of node.inputs.slice(1)) a.pinValue(extra, a.because(node, 'uses them as parameters'));
  if (value === undefined) return;
  const { dims, axes, elements } = value;
  const keeps = isOp(node, 'Identity') || (isOp(node, 'Cast') && isExact(node, elements));
  const made = keeps && elements !== undefined ? { dims, axes, elements } : { dims, axes };
  if (!keeps) a.pinReads(node, elements);
  node.outputs.forEach((_name, index) => {
    a.put(node, made, index);
  });
};

/** By the code of a data type, the largest integer up to which it represents all: float32, int32, int64, float64. */
const EXACT: Readonly<Record<number, number>> = { 1: 2 ** 24, 6: 2 ** 31 - 1, 7: Number.MAX_SAFE_INTEGER, 11: 2 ** 53 };

/** Whether numbers of a shape keep their values in another type. Symbolic lengths are assumed to fit. */
function isExact(node: Node, elements: readonly Element[] | undefined): boolean {
  const most = EXACT[intAttribute(node, 'to', 0)];
  return most !== undefined && (elements ?? []).every((one) => Math.abs(one.dim?.factor ?? 0) <= most);
}

/** Operands that broadcast: channels that meet are coupled. */
const broadcasting: Rule = (node, a) => {
  const own = ownVectors(node, a);
  const values = node.inputs.map((_, index) => inputOf(node, a, own, index));
  if (values.some((one) => one === undefined)) {
    a.giveUp(node, 'combines them with a value of unknown shape');
    return;
  }
  const all = values as Value[];
  if (a.model.opset < 7 && !isSameShape(all) && (isOp(node, 'PRelu') || findAttribute(node, 'axis') !== undefined)) {
    a.giveUp(node, 'broadcasts its second input from an axis, as before opset 7');
    return;
  }
  const shape = broadcast(a, node, all);
  const elements = arithmetic(node, all);
  if (elements === undefined) for (const one of all) a.pinReads(node, one.elements);
  a.put(node, elements === undefined ? shape : { ...shape, elements });
  readOwn(node, a, own);
};

export const elementwise: Rules = {
  ...Object.fromEntries(UNARY.split(' ').map((one) => [one, unary])),
  ...Object.fromEntries(BROADCAST.split(' ').map((one) => [one, broadcasting])),
};

/**
 * The shape that values broadcast to, their axes coupled. A symbolic length that meets another one may be 1 or equal at
 * run time; such axes are pinned.
 */
export function broadcast(a: Analysis, node: Node, shapes: readonly Pick<Value, 'dims' | 'axes'>[]): Value {
  const rank = Math.max(...shapes.map((one) => one.dims.length));
  const dims: Dim[] = [];
  const axes: (Axis | undefined)[] = [];
  for (let at = 0; at < rank; at++) {
    const found = shapes.flatMap((one) => {
      const index = at - rank + one.dims.length;
      const dim = one.dims[index];
      return dim === undefined || same(dim, known(1)) ? [] : [{ dim, axis: one.axes[index] }];
    });
    // A slice of a table has as many rows as the other value. It has fewer only for too long an input, which then
    // fails.
    const there = found.map((one) => {
      const bound = a.boundOf(one.dim);
      return bound !== undefined && found.some((other) => same(other.dim, bound)) ? { ...one, dim: bound } : one;
    });
    const [first] = there;
    const followed = there.find((one) => one.axis !== undefined)?.axis;
    if (first === undefined) dims.push(known(1));
    else if (there.every((one) => same(one.dim, first.dim))) {
      dims.push(first.dim);
      const pin = a.because(node, 'combines them with a value of fixed length');
      for (const one of there) a.space.couple(followed, one.axis, pin);
    } else {
      dims.push(there.find((one) => sizeOf(one.dim) !== undefined)?.dim ?? a.openDim());
      for (const one of there) a.space.pin(one.axis, a.because(node, 'combines them with a value of dynamic length'));
    }
    axes.push(followed);
  }
  return { dims, axes };
}

/** Arithmetic on the numbers of shapes. */
function arithmetic(node: Node, values: readonly Value[]): Element[] | undefined {
  const lists = values.flatMap((one) => (one.elements === undefined ? [] : [one.elements]));
  if (lists.length !== values.length || lists.length !== (isOp(node, 'Where') ? 3 : 2)) return undefined;
  const length = Math.max(...lists.map((list) => list.length));
  if (!lists.every((list) => list.length === length || list.length === 1)) return undefined;
  return Array.from({ length }, (_, index): Element => {
    const [x, y, z] = lists.map((list) => list[list.length === 1 ? 0 : index]) as [Element, Element, Element];
    if (isOp(node, 'Where')) return chosen(x, y, z);
    if (isOp(node, 'Equal')) return compared(x, y);
    return { dim: combine(node.opType, x.dim, y.dim), reads: [...x.reads, ...y.reads] };
  });
}

/** 1 if two numbers are equal, 0 if they differ, whichever channels are removed. */
function compared(x: Element, y: Element): Element {
  const reads = [...x.reads, ...y.reads];
  if (x.dim === undefined || y.dim === undefined) return { dim: undefined, reads };
  const [left, right] = [sizeOf(x.dim), sizeOf(y.dim)];
  // No length is negative: exporters compare shapes with the -1 that Expand keeps as it is.
  const disjoint = ((left ?? 0) < 0 && y.dim.factor >= 0) || ((right ?? 0) < 0 && x.dim.factor >= 0);
  if (disjoint) return { dim: known(0), reads: [] };
  if (left === undefined || right === undefined || reads.length > 0) return { dim: undefined, reads };
  return { dim: known(left === right ? 1 : 0), reads };
}

/** One of two numbers, selected by a condition. */
function chosen(condition: Element, yes: Element, no: Element): Element {
  const which = sizeOf(condition.dim);
  if (which !== undefined && condition.reads.length === 0) return which === 0 ? no : yes;
  return { dim: undefined, reads: [...condition.reads, ...yes.reads, ...no.reads] };
}

function combine(opType: string, x: Dim | undefined, y: Dim | undefined): Dim | undefined {
  if (x === undefined || y === undefined) return undefined;
  if (opType === 'Mul') return whole(times(x, y));
  if (opType === 'Div') return whole(over(x, y));
  if (opType === 'Add') return whole(plus(x, y));
  const [left, right] = [sizeOf(x), sizeOf(y)];
  if (left === undefined || right === undefined) return undefined;
  return opType === 'Sub' ? whole(known(left - right)) : undefined;
}

/**
 * Undefined where the factor is no longer a length: "to the end" is written as the largest integer, with which nothing
 * can be computed.
 */
function whole(dim: Dim | undefined): Dim | undefined {
  return dim !== undefined && Math.abs(dim.factor) < Number.MAX_SAFE_INTEGER ? dim : undefined;
}

function isSameShape([first, ...others]: readonly Value[]): boolean {
  return others.every(
    ({ dims }) =>
      dims.length === first?.dims.length && dims.every((dim, index) => same(dim, first.dims[index] ?? known(0))),
  );
}
