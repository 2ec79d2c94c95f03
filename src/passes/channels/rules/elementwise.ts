import { isOp, type Node } from '../../../ir/node.ts';
import type { Analysis } from '../analysis.ts';
import { type Dim, known, over, same, sizeOf, times } from '../dims.ts';
import type { Axis } from '../space.ts';
import type { Element, Value } from '../values.ts';
import type { Rule, Rules } from './index.ts';

const UNARY =
  'Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp Floor Gelu ' +
  'HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid ' +
  'Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu';
const BROADCAST =
  'Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or ' +
  'PRelu Pow Sub Sum Where Xor';

/** Each element by itself: the output has the channels of the first input. */
const unary: Rule = (node, a) => {
  const value = a.value(node.inputs[0]);
  for (const extra of node.inputs.slice(1)) a.pinValue(extra, a.because(node, 'takes them as its settings'));
  if (value === undefined) return;
  const { isConstant: _, floats: __, ...rest } = value;
  const keeps = isOp(node, 'Identity') || isOp(node, 'Cast');
  const made = keeps ? rest : { dims: value.dims, axes: value.axes };
  if (!keeps) pinReads(a, node, [value]);
  node.outputs.forEach((_name, index) => {
    a.put(node, made, index);
  });
};

/** Elements that meet: their channels are the same ones. */
const broadcasting: Rule = (node, a) => {
  const values = node.inputs.map((name) => a.value(name));
  if (values.some((one) => one === undefined)) {
    a.giveUp(node, 'combines them with a value whose shape is not known');
    return;
  }
  const all = values as Value[];
  const shape = broadcast(a, node, all);
  const elements = arithmetic(node, all);
  if (elements === undefined) pinReads(a, node, all);
  a.put(node, elements === undefined ? shape : { ...shape, elements });
};

export const elementwise: Rules = {
  ...Object.fromEntries(UNARY.split(' ').map((one) => [one, unary])),
  ...Object.fromEntries(BROADCAST.split(' ').map((one) => [one, broadcasting])),
};

/**
 * The shape that values broadcast to, their axes coupled. A length that is open beside another one may be 1 or the
 * same at run time; what cannot be told apart is pinned.
 */
export function broadcast(a: Analysis, node: Node, shapes: readonly Pick<Value, 'dims' | 'axes'>[]): Value {
  const rank = Math.max(...shapes.map((one) => one.dims.length));
  const dims: Dim[] = [];
  const axes: (Axis | undefined)[] = [];
  for (let at = 0; at < rank; at++) {
    const there = shapes.flatMap((one) => {
      const index = at - rank + one.dims.length;
      const dim = one.dims[index];
      return dim === undefined || same(dim, known(1)) ? [] : [{ dim, axis: one.axes[index] }];
    });
    const [first] = there;
    const followed = there.find((one) => one.axis !== undefined)?.axis;
    if (first === undefined) dims.push(known(1));
    else if (there.every((one) => same(one.dim, first.dim))) {
      dims.push(first.dim);
      const pin = a.because(node, 'combines them with a value that keeps its length');
      for (const one of there) a.space.couple(followed, one.axis, pin);
    } else {
      dims.push(there.find((one) => sizeOf(one.dim) !== undefined)?.dim ?? a.openDim());
      for (const one of there) a.space.pin(one.axis, a.because(node, 'combines them with a value of an open length'));
    }
    axes.push(followed);
  }
  return { dims, axes };
}

/** Arithmetic on the numbers of shapes. */
function arithmetic(node: Node, values: readonly Value[]): Element[] | undefined {
  const [one, two] = values;
  if (values.length !== 2 || one?.elements === undefined || two?.elements === undefined) return undefined;
  const [left, right] = [one.elements, two.elements];
  const length = Math.max(left.length, right.length);
  if (![left, right].every((list) => list.length === length || list.length === 1)) return undefined;
  return Array.from({ length }, (_, index): Element => {
    const x = left[left.length === 1 ? 0 : index] as Element;
    const y = right[right.length === 1 ? 0 : index] as Element;
    return { dim: combine(node.opType, x.dim, y.dim), reads: [...x.reads, ...y.reads] };
  });
}

function combine(opType: string, x: Dim | undefined, y: Dim | undefined): Dim | undefined {
  if (x === undefined || y === undefined) return undefined;
  if (opType === 'Mul') return times(x, y);
  if (opType === 'Div') return over(x, y);
  const [left, right] = [sizeOf(x), sizeOf(y)];
  if (left === undefined || right === undefined) return undefined;
  if (opType === 'Add') return known(left + right);
  return opType === 'Sub' ? known(left - right) : undefined;
}

/** Pins the axes whose lengths are among the numbers of a value that is no shape any more. */
export function pinReads(a: Analysis, node: Node, values: readonly (Value | undefined)[]): void {
  for (const value of values) {
    for (const axis of (value?.elements ?? []).flatMap((one) => one.reads)) {
      a.space.pin(axis, a.because(node, 'computes with their number'));
    }
  }
}
