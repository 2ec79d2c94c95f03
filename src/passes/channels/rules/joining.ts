import { attribute, intAttribute, intsAttribute, type Node } from '../../../ir/node.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { known, plus, sizeOf, times } from '../dims.ts';
import type { Axis } from '../space.ts';
import { axisOf, MAX_NUMBERS, type Value } from '../values.ts';
import { broadcast } from './elementwise.ts';
import { setAttribute, setInput } from './write.ts';

/** The channels of the inputs one after the other; all other axes are coupled. */
const concat: Rule = (node, a) => {
  const found = node.inputs.map((name) => a.value(name));
  const [first] = found;
  if (first === undefined || found.some((one) => one?.dims.length !== first.dims.length)) {
    a.giveUp(node, 'joins them with a value of unknown shape');
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
  const pin = a.because(node, 'joins them with values of fixed length');
  const dim = values.map((value) => value.dims[at]).reduce(plus) ?? a.openDim();
  let axis: Axis | undefined;
  if (sizes.every((size) => size !== undefined)) {
    if ((sizeOf(dim) as number) > MAX_JOINED) for (const value of values) a.space.pin(value.axes[at], pin);
    else if (values.some((value) => value.axes[at] !== undefined)) {
      axis = joined(values.map((value, index) => value.axes[at] ?? a.frozen(sizes[index] as number, pin)));
    }
  } else for (const value of values) a.space.pin(value.axes[at], pin);
  const count = values.reduce((sum, value) => sum + (value.elements?.length ?? MAX_NUMBERS), 0);
  const elements = count < MAX_NUMBERS ? values.flatMap((value) => value.elements ?? []) : undefined;
  if (elements === undefined) for (const one of values) a.pinReads(node, one.elements);
  const dims = [...others.dims.slice(0, at), dim, ...others.dims.slice(at)];
  const axes = [...others.axes.slice(0, at), axis, ...others.axes.slice(at)];
  a.put(node, { dims, axes, ...(elements === undefined ? {} : { elements }) });
};

/** The longest joined axis: values concatenated with themselves again and again would fill the memory. */
const MAX_JOINED = 2 ** 22;

function joined(parts: readonly Axis[]): Axis {
  const whole = new Int32Array(parts.reduce((sum, one) => sum + one.length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

/** One run of channels for each output; the lengths of the runs are updated. */
const split: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const at = x === undefined ? 0 : axisOf(x, intAttribute(node, 'axis', 0));
  const sizes = x === undefined ? undefined : sizesOf(a, node, x, at);
  if (x === undefined || sizes === undefined) {
    a.giveUp(node, 'splits a value of unknown shape, or into computed parts');
    return;
  }
  a.pinReads(node, x.elements);
  const axis = x.axes[at];
  const parts: (Axis | undefined)[] = [];
  let start = 0;
  sizes.forEach((size, index) => {
    const part = axis?.subarray(start, start + size);
    parts.push(part);
    start += size;
    const replace = <T>(list: readonly T[], value: T): T[] => list.map((one, place) => (place === at ? value : one));
    a.put(node, { dims: replace(x.dims, known(size)), axes: replace(x.axes, part) }, index);
  });
  // Lengths computed from those of other axes are updated as well.
  const reads = (a.value(node.inputs[1])?.elements ?? []).flatMap((one) => one.reads);
  a.edit(node, [axis, ...reads], (view) => {
    const lengths = parts.map((part, index) => (part === undefined ? (sizes[index] as number) : view.size(part)));
    const attributes = node.attributes.filter((one) => one.name !== 'num_outputs');
    if (a.model.opset < 13) {
      return { inputs: node.inputs.slice(0, 1), attributes: setAttribute(node, attribute.ints('split', lengths)) };
    }
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

/** Padding: axes that get none keep their channels. */
const pad: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const rank = x?.dims.length ?? 0;
  const pads = intsAttribute(node, 'pads') ?? intsAttribute(node, 'paddings') ?? a.settings(node, 1);
  const chosen = a.settings(node, 3);
  const axes = chosen ?? x?.dims.map((_, index) => index);
  const unclear = ((node.inputs[3] ?? '') !== '' && chosen === undefined) || axes?.some((one) => one === undefined);
  if (x === undefined || pads === undefined || axes === undefined || pads.length !== axes.length * 2 || unclear) {
    a.giveUp(node, 'pads a value of unknown shape, or by computed lengths');
    return;
  }
  const dims = [...x.dims];
  const follows = [...x.axes];
  axes.forEach((one, index) => {
    const at = (one as number) < 0 ? (one as number) + rank : (one as number);
    const [before, after] = [pads[index], pads[index + axes.length]];
    if (before === 0 && after === 0) return;
    const size = sizeOf(x.dims[at]);
    a.space.pin(x.axes[at], a.because(node, 'pads them'));
    follows[at] = undefined;
    const whole = size !== undefined && before !== undefined && after !== undefined;
    dims[at] = whole ? known(Math.max(0, size + before + after)) : a.openDim();
  });
  a.pinReads(node, x.elements);
  a.put(node, { dims, axes: follows });
};

/** Repeats: axes with 1 repeat keep their channels. */
const tile: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const repeats = a.value(node.inputs[1])?.elements;
  a.pinValue(node.inputs[1], a.because(node, 'uses them as parameters'));
  if (x === undefined || repeats?.length !== x.dims.length) {
    a.giveUp(node, 'repeats a value of unknown shape, or a computed number of times');
    return;
  }
  a.pinReads(node, x.elements);
  const once = repeats.map((one) => sizeOf(one.dim) === 1);
  x.axes.forEach((axis, index) => {
    if (!once[index]) a.space.pin(axis, a.because(node, 'repeats them'));
  });
  a.put(node, {
    dims: x.dims.map((dim, index) => {
      const count = repeats[index]?.dim;
      return count === undefined ? a.openDim() : times(dim, count);
    }),
    axes: x.axes.map((axis, index) => (once[index] ? axis : undefined)),
  });
};

export const joining: Rules = { Concat: concat, Split: split, Pad: pad, Tile: tile };
