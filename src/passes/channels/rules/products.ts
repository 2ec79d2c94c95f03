import { intAttribute, isOp, type Node } from '../../../ir/node.ts';
import { type SummedAxes, summedAxes } from '../../../layers/axes.ts';
import { ownBias } from '../../../layers/bias.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { type Dim, same, sizeOf } from '../dims.ts';
import type { Axis, Pin } from '../space.ts';
import type { Factor } from '../structure.ts';
import type { Value } from '../values.ts';
import { broadcast } from './elementwise.ts';
import { inputOf, ownVectors, readOwn } from './own.ts';

/** `Y = A'·B' + C`: the summed axes are coupled, and the columns of B', C and Y. */
const gemm: Rule = (node, a) => {
  const [x, b] = [a.value(node.inputs[0]), a.value(node.inputs[1])];
  if (b?.dims.length !== 2 || (x !== undefined && x.dims.length !== 2)) {
    a.giveUp(node, 'multiplies by a value of unknown shape');
    return;
  }
  const [left, right] = [axesOf(node, 0, b.dims), axesOf(node, 1, b.dims)];
  if (left === undefined || right === undefined) {
    a.giveUp(node, 'has a transposition that the function call sets');
    return;
  }
  const { in: inner, out: outer } = right;
  a.space.couple(x?.axes[left.in], b.axes[inner], innerPin(a, node));
  const rows = x?.axes[left.out];
  const columns = b.axes[outer];
  const dims = [x?.dims[left.out] ?? a.openDim(), b.dims[outer] ?? a.openDim()];
  const c = ownBias(node);
  const own = ownVectors(node, a, 2);
  const bias = c === undefined ? undefined : inputOf(node, a, own, 2);
  if (bias !== undefined) broadcast(a, node, [bias, { dims, axes: [rows, columns] }]);
  else if (c !== undefined) {
    for (const axis of [rows, columns]) a.space.pin(axis, a.because(node, 'adds a value of unknown shape'));
  }
  a.put(node, { dims, axes: [rows, columns] });
  a.products.push({
    ...{ node, weight: node.inputs[1] ?? '', outputs: columns, inputs: b.axes[inner] },
    ...{ outputAxis: outer, inputAxis: inner },
    reads: { kind: 'matrix', value: node.inputs[0] ?? '', axis: left.in },
    factors: [{ dim: dims[0] as Dim, axis: rows }, ...matrixFactors(b, inner, outer)],
  });
  readOwn(node, a, own);
};

/** `Y = A·B` over the last two axes; the axes before them broadcast. */
const matMul: Rule = (node, a) => {
  const [left, right] = [a.value(node.inputs[0]), a.value(node.inputs[1])];
  if (left === undefined || right === undefined || left.dims.length < 2 || right.dims.length < 2) {
    a.giveUp(node, 'multiplies by a value of unknown shape, or by a vector');
    return;
  }
  const [l, r] = [axesOf(node, 0, left.dims), axesOf(node, 1, right.dims)] as [SummedAxes, SummedAxes];
  a.space.couple(left.axes[l.in], right.axes[r.in], innerPin(a, node));
  if (!same(left.dims[l.in] as Dim, right.dims[r.in] as Dim)) {
    // One of the two is symbolic and equals the other at run time; that holds only while both are pinned.
    for (const axis of [left.axes[l.in], right.axes[r.in]]) a.space.pin(axis, innerPin(a, node));
  }
  const batch = (value: Value): Pick<Value, 'dims' | 'axes'> => ({
    dims: value.dims.slice(0, -2),
    axes: value.axes.slice(0, -2),
  });
  const outer = broadcast(a, node, [batch(left), batch(right)]);
  const [rows, columns] = [l.out, r.out];
  a.put(node, {
    dims: [...outer.dims, left.dims[rows] as Dim, right.dims[columns] as Dim],
    axes: [...outer.axes, left.axes[rows], right.axes[columns]],
  });
  const factors = (other: Value, own: Value): Factor[] => [
    ...outer.dims.map((dim, axis): Factor => ({ dim, axis: outer.axes[axis] })),
    { dim: other.dims[other === left ? rows : columns] as Dim, axis: other.axes[other === left ? rows : columns] },
    ...matrixFactors(own, own.dims.length - 2, own.dims.length - 1),
  ];
  const weight = [0, 1].findIndex((index) => isWeight(a, node.inputs[index] ?? ''));
  const own = weight === 0 ? left : right;
  const other = weight === 0 ? right : left;
  const { in: inputAxis, out: outputAxis } = weight === 0 ? l : r;
  a.products.push({
    ...{ node, weight: weight < 0 ? '' : (node.inputs[weight] ?? ''), outputAxis, inputAxis },
    outputs: own.axes[outputAxis],
    inputs: own.axes[inputAxis],
    reads:
      weight < 0 ? undefined : { kind: 'matrix', value: node.inputs[1 - weight] ?? '', axis: weight === 0 ? -2 : -1 },
    factors: factors(other, own),
  });
};

/** The columns of an embedding table are the channels of the output. Otherwise the axis that is indexed is pinned. */
const gather: Rule = (node, a) => {
  const [data, indices] = [a.value(node.inputs[0]), a.value(node.inputs[1])];
  if (data === undefined || indices === undefined) {
    a.giveUp(node, 'gathers from, or by, a value of unknown shape');
    return;
  }
  const stated = intAttribute(node, 'axis', 0);
  const axis = stated < 0 ? stated + data.dims.length : stated;
  const pin = a.because(node, 'selects them by index');
  a.space.pin(data.axes[axis], pin);
  a.pinValue(node.inputs[1], pin);
  const picked = indices.elements?.map((one) => sizeOf(one.dim));
  const elements =
    data.elements !== undefined && picked?.every((at) => at !== undefined)
      ? picked.map((at) => data.elements?.at(at as number) ?? { dim: undefined, reads: [] })
      : undefined;
  if (elements === undefined) a.pinReads(node, data.elements);
  a.put(node, {
    dims: [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)],
    axes: [...data.axes.slice(0, axis), ...indices.dims.map(() => undefined), ...data.axes.slice(axis + 1)],
    ...(elements === undefined ? {} : { elements }),
  });
};

/** Recurrent layers can lose input channels; their state keeps its size. */
const recurrent: Rule = (node, a) => {
  const [x, weight] = [a.value(node.inputs[0]), a.value(node.inputs[1])];
  const hidden = a.because(node, 'has a state of fixed size');
  for (const name of node.inputs.slice(2)) a.pinValue(name, hidden);
  const taken = weight === undefined ? undefined : axesOf(node, 1, weight.dims);
  if (x?.dims.length !== 3 || weight === undefined || taken === undefined || intAttribute(node, 'layout', 0) !== 0) {
    a.giveUp(node, 'reads values of unknown shape');
    return;
  }
  for (const axis of weight.axes.filter((_, at) => at !== taken.in)) a.space.pin(axis, hidden);
  for (const axis of x.axes.slice(0, 2)) a.space.pin(axis, hidden);
  a.space.couple(x.axes[2], weight.axes[taken.in], innerPin(a, node));
  const size = a.value(node.inputs[2])?.dims[2] ?? a.openDim();
  const dims = [x.dims[0], weight.dims[0], x.dims[1], size] as Dim[];
  const axes: (Axis | undefined)[] = dims.map(() => undefined);
  // Both products count as multiply-adds, but their channels can be neither ranked nor refitted.
  const steps = [x.dims[0], x.dims[1], ...weight.dims.slice(0, 2)] as Dim[];
  for (const own of [
    { dim: weight.dims[taken.in] as Dim, axis: weight.axes[taken.in] },
    { dim: size, axis: undefined },
  ]) {
    const factors = [...steps.map((dim): Factor => ({ dim, axis: undefined })), own];
    const none = { weight: '', outputs: undefined, inputs: undefined, reads: undefined };
    a.products.push({ node, ...none, outputAxis: taken.out, inputAxis: taken.in, factors });
  }
  a.put(node, { dims, axes });
  for (const index of [1, ...(isOp(node, 'LSTM') ? [2] : [])]) {
    a.put(node, { dims: dims.slice(1), axes: axes.slice(1) }, index);
  }
};

export const products: Rules = {
  ...{ Gemm: gemm, MatMul: matMul, Gather: gather },
  ...{ LSTM: recurrent, GRU: recurrent, RNN: recurrent },
};

/** The axes of an operand as its operator takes it; undefined if an attribute refers to one of a call. */
function axesOf(node: Node, index: number, dims: readonly Dim[]): SummedAxes | undefined {
  return summedAxes({ node, index, transposed: false }, dims);
}

function innerPin(a: Analysis, node: Node): Pin {
  return a.because(node, 'sums over them together with a value whose channels cannot be traced');
}

function isWeight(a: Analysis, name: string): boolean {
  return a.value(name)?.isConstant === true || a.weights.has(name);
}

function matrixFactors(value: Value, one: number, two: number): Factor[] {
  return [one, two].map((axis) => ({ dim: value.dims[axis] as Dim, axis: value.axes[axis] }));
}
