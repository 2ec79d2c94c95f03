import { attribute, intAttribute, intsAttribute, type Node } from '../../../ir/node.ts';
import type { Analysis } from '../analysis.ts';
import { type Dim, known, product, sizeOf } from '../dims.ts';
import type { Axis } from '../space.ts';
import { axisOf, type Element, type Value } from '../values.ts';
import { broadcast, pinReads } from './elementwise.ts';
import type { Rule, Rules } from './index.ts';
import { setAttribute, setInput } from './write.ts';

/** The channels of one input after those of the other; the other axes are the same for all. */
const concat: Rule = (node, a) => {
  const found = node.inputs.map((name) => a.value(name));
  const [first] = found;
  if (first === undefined || found.some((one) => one?.dims.length !== first.dims.length)) {
    a.giveUp(node, 'joins them to a value whose shape is not known');
    return;
  }
  const values = found as Value[];
  const at = axisOf(first, intAttribute(node, 'axis', 1));
  const beside = (value: Value): Pick<Value, 'dims' | 'axes'> => ({
    dims: value.dims.filter((_, index) => index !== at),
    axes: value.axes.filter((_, index) => index !== at),
  });
  const others = broadcast(a, node, values.map(beside));
  const sizes = values.map((value) => sizeOf(value.dims[at]));
  const pin = a.because(node, 'joins them to values that keep theirs');
  let [dim, axis]: [Dim, Axis | undefined] = [a.openDim(), undefined];
  if (sizes.every((size) => size !== undefined)) {
    dim = known(sizes.reduce((sum, size) => sum + size, 0));
    if ((sizeOf(dim) as number) > MAX_JOINED) for (const value of values) a.space.pin(value.axes[at], pin);
    else if (values.some((value) => value.axes[at] !== undefined)) {
      axis = joined(values.map((value, index) => value.axes[at] ?? a.frozen(sizes[index] as number, pin)));
    }
  } else for (const value of values) a.space.pin(value.axes[at], pin);
  const count = values.reduce((sum, value) => sum + (value.elements?.length ?? MAX_NUMBERS), 0);
  const elements = count < MAX_NUMBERS ? values.flatMap((value) => value.elements ?? []) : undefined;
  if (elements === undefined) pinReads(a, node, values);
  const dims = [...others.dims.slice(0, at), dim, ...others.dims.slice(at)];
  const axes = [...others.axes.slice(0, at), axis, ...others.axes.slice(at)];
  a.put(node, { dims, axes, ...(elements === undefined ? {} : { elements }) });
};

/** Channels of one axis: values joined to themselves again and again would fill the memory. */
const MAX_JOINED = 2 ** 22;
/** Numbers of a shape, likewise. */
const MAX_NUMBERS = 1024;

function joined(parts: readonly Axis[]): Axis {
  const whole = new Int32Array(parts.reduce((sum, one) => sum + one.length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

/** The channels in runs, one for each output; the lengths of the runs are written anew. */
const split: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const at = x === undefined ? 0 : axisOf(x, intAttribute(node, 'axis', 0));
  const sizes = x === undefined ? undefined : sizesOf(a, node, x, at);
  if (x === undefined || sizes === undefined) {
    a.giveUp(node, 'cuts a value whose shape is not known, or into computed parts');
    return;
  }
  pinReads(a, node, [x]);
  const axis = x.axes[at];
  const parts: Axis[] = [];
  let start = 0;
  sizes.forEach((size, index) => {
    const part = axis?.subarray(start, start + size);
    if (part !== undefined) parts.push(part);
    start += size;
    const replace = <T>(list: readonly T[], value: T): T[] => list.map((one, place) => (place === at ? value : one));
    a.put(node, { dims: replace(x.dims, known(size)), axes: replace(x.axes, part) }, index);
  });
  a.edit(node, axis === undefined ? [] : [axis], (view) => {
    const lengths = parts.map((part) => view.size(part));
    const attributes = node.attributes.filter((one) => one.name !== 'num_outputs');
    if (a.model.opset < 13) return { attributes: setAttribute(node, attribute.ints('split', lengths)) };
    return { attributes, inputs: setInput(node, 1, view.ints(`${node.outputs[0]}_split`, lengths)) };
  });
};

function sizesOf(a: Analysis, node: Node, x: Value, at: number): number[] | undefined {
  const whole = sizeOf(x.dims[at]);
  const count = node.outputs.length;
  const [, input = ''] = node.inputs;
  let sizes = intsAttribute(node, 'split');
  if (input !== '') sizes = a.value(input)?.elements?.map((one) => sizeOf(one.dim) ?? -1);
  else if (sizes === undefined && whole !== undefined) {
    const each = Math.ceil(whole / count);
    sizes = Array.from({ length: count }, (_, index) => (index < count - 1 ? each : whole - each * (count - 1)));
  }
  if (sizes === undefined || sizes.length !== count || sizes.some((one) => one < 0)) return undefined;
  return whole !== undefined && sizes.reduce((sum, one) => sum + one, 0) !== whole ? undefined : sizes;
}

/** A run of channels where the step is 1; its ends are written anew. Other slices keep their axis. */
const slice: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const cuts = x === undefined ? undefined : cutsOf(a, node, x);
  if (x === undefined || cuts === undefined) {
    a.giveUp(node, 'takes a part of a value whose shape is not known, or along computed axes');
    return;
  }
  const dims = [...x.dims];
  const axes = [...x.axes];
  const followed: Cut[] = [];
  // Ends are written anew all together, which those that are computed cannot be.
  const computed = cuts.some((cut) => cut.start === undefined || cut.end === undefined);
  for (const cut of cuts) {
    const size = sizeOf(x.dims[cut.axis]);
    const axis = x.axes[cut.axis];
    const range = size === undefined ? undefined : rangeOf(cut, size);
    if (range !== undefined && cut.step === 1) {
      if (computed) a.space.pin(axis, a.because(node, 'takes some of them, and computes where it cuts'));
      dims[cut.axis] = known(range.end - range.start);
      axes[cut.axis] = axis?.subarray(range.start, range.end);
      if (axis !== undefined) followed.push({ ...cut, ...range });
      continue;
    }
    if (!(cut.step === 1 && cut.start === 0 && cut.end !== undefined && cut.end >= ENDLESS)) {
      dims[cut.axis] = a.openDim();
    }
    axes[cut.axis] = undefined;
    a.space.pin(axis, a.because(node, 'takes some of them by number'));
  }
  const elements = x.elements && x.dims.length === 1 ? elementsOf(x.elements, cuts) : undefined;
  if (elements === undefined) pinReads(a, node, [x]);
  a.put(node, { dims, axes, ...(elements === undefined ? {} : { elements }) });
  const cut = (axis: number): Axis => x.axes[axis] as Axis;
  a.edit(
    node,
    followed.map((one) => cut(one.axis)),
    (view) => {
      const moved = cuts.map((one) => {
        const found = followed.find((other) => other.axis === one.axis);
        if (found === undefined) return { start: one.start ?? 0, end: one.end ?? 0 };
        const before = (index: number): number => view.kept(cut(one.axis)).filter((kept) => kept < index).length;
        return { start: before(found.start ?? 0), end: before(found.end ?? 0) };
      });
      const starts = moved.map((one) => one.start);
      const ends = moved.map((one) => one.end);
      if (a.model.opset < 10) {
        const attributes = setAttribute(node, attribute.ints('starts', starts));
        return { attributes: setAttribute({ ...node, attributes }, attribute.ints('ends', ends)) };
      }
      const inputs = setInput(node, 1, view.ints(`${node.outputs[0]}_starts`, starts));
      return { inputs: setInput({ ...node, inputs }, 2, view.ints(`${node.outputs[0]}_ends`, ends)) };
    },
  );
};

/** Exporters mean "to the end" by the largest integer. */
const ENDLESS = 2 ** 31 - 1;

interface Cut {
  readonly axis: number;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly step: number;
}

function cutsOf(a: Analysis, node: Node, x: Value): Cut[] | undefined {
  const numbers = (index: number, name: string): (number | undefined)[] | undefined => {
    const input = node.inputs[index] ?? '';
    if (input === '') return a.model.opset < 10 ? intsAttribute(node, name) : undefined;
    return a.value(input)?.elements?.map((one) => sizeOf(one.dim));
  };
  const [starts, ends] = [numbers(1, 'starts'), numbers(2, 'ends')];
  const axes = numbers(3, 'axes') ?? starts?.map((_, index) => index);
  const steps = numbers(4, 'steps') ?? axes?.map(() => 1);
  const stated = [3, 4].every((index) => (node.inputs[index] ?? '') === '' || a.value(node.inputs[index])?.elements);
  if (starts === undefined || ends === undefined || axes === undefined || steps === undefined || !stated)
    return undefined;
  if (axes.some((one) => one === undefined) || steps.some((one) => one === undefined)) return undefined;
  if (new Set(axes).size !== axes.length || [ends, axes, steps].some((one) => one.length !== starts.length))
    return undefined;
  return axes.map((axis, index) => ({
    axis: axisOf(x, axis as number),
    start: starts[index],
    end: ends[index],
    step: steps[index] as number,
  }));
}

function rangeOf({ start, end }: Cut, size: number): { start: number; end: number } | undefined {
  if (start === undefined || end === undefined) return undefined;
  const clamp = (value: number): number => Math.min(Math.max(value < 0 ? value + size : value, 0), size);
  const from = clamp(start);
  return { start: from, end: Math.max(from, clamp(end)) };
}

function elementsOf(elements: readonly Element[], cuts: readonly Cut[]): readonly Element[] | undefined {
  const [cut] = cuts;
  const range = cut === undefined ? undefined : rangeOf(cut, elements.length);
  return range === undefined || cut?.step !== 1 ? undefined : elements.slice(range.start, range.end);
}

/** Zeros around: an axis that gets none passes. */
const pad: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const rank = x?.dims.length ?? 0;
  const input = a.value(node.inputs[1])?.elements?.map((one) => sizeOf(one.dim));
  const pads = intsAttribute(node, 'pads') ?? intsAttribute(node, 'paddings') ?? input;
  const chosen = (node.inputs[3] ?? '') === '' ? undefined : a.value(node.inputs[3])?.elements;
  const axes = chosen?.map((one) => sizeOf(one.dim)) ?? x?.dims.map((_, index) => index);
  const unclear = ((node.inputs[3] ?? '') !== '' && chosen === undefined) || axes?.some((one) => one === undefined);
  if (x === undefined || pads === undefined || axes === undefined || pads.length !== axes.length * 2 || unclear) {
    a.giveUp(node, 'pads a value whose shape is not known, or by computed lengths');
    return;
  }
  const dims = [...x.dims];
  const follows = [...x.axes];
  axes.forEach((one, index) => {
    const at = (one as number) < 0 ? (one as number) + rank : (one as number);
    const [before, after] = [pads[index], pads[index + axes.length]];
    if (before === 0 && after === 0) return;
    const size = sizeOf(x.dims[at]);
    a.space.pin(x.axes[at], a.because(node, 'adds to them'));
    follows[at] = undefined;
    const whole = size !== undefined && before !== undefined && after !== undefined;
    dims[at] = whole ? known(Math.max(0, size + before + after)) : a.openDim();
  });
  pinReads(a, node, [x]);
  a.put(node, { dims, axes: follows });
};

/** Repeats: an axis that is there once passes. */
const tile: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const repeats = a.value(node.inputs[1])?.elements;
  if (x === undefined || repeats?.length !== x.dims.length) {
    a.giveUp(node, 'repeats a value whose shape is not known, or computed times');
    return;
  }
  pinReads(a, node, [x, a.value(node.inputs[1])]);
  const once = repeats.map((one) => sizeOf(one.dim) === 1);
  x.axes.forEach((axis, index) => {
    if (!once[index]) a.space.pin(axis, a.because(node, 'repeats them'));
  });
  a.put(node, {
    dims: x.dims.map((dim, index) => {
      const count = repeats[index]?.dim;
      return count === undefined ? a.openDim() : product([dim, count]);
    }),
    axes: x.axes.map((axis, index) => (once[index] ? axis : undefined)),
  });
};

export const joining: Rules = { Concat: concat, Split: split, Slice: slice, Pad: pad, Tile: tile };
