import { attribute, intAttribute, intsAttribute, type Node } from '../../../ir/node.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { type Dim, known, over, product, same, sizeOf } from '../dims.ts';
import { type Link, linksOf, through } from '../regroup.ts';
import type { Axis } from '../space.ts';
import { axisOf, type Element, type Value } from '../values.ts';
import { MIXED_OPSET, setAttribute, setInput, setInt } from './write.ts';

const transpose: Rule = (node, a) => {
  const x = a.valueWithJoined(node.inputs[0]);
  const perm = x && (intsAttribute(node, 'perm') ?? x.dims.map((_, index) => x.dims.length - 1 - index));
  if (x === undefined || perm?.length !== x.dims.length) return void a.giveUp(node, 'turns a value of unknown rank');
  const joined = perm.flatMap((at, index) => {
    const parts = x.joined?.get(at);
    return parts === undefined ? [] : [[index, parts] as const];
  });
  a.put(node, {
    dims: perm.map((at) => x.dims[at] as Dim),
    axes: perm.map((at) => x.axes[at]),
    ...(joined.length > 0 && { joined: new Map(joined) }),
    ...carried(x),
  });
};

/** Dims are joined and split: a channel becomes a block of features, or a block of features a channel. */
const reshape: Rule = (node, a) => {
  const x = a.valueWithJoined(node.inputs[0]);
  const target = a.value(node.inputs[1]);
  const elements = target?.elements ?? attributeShape(node);
  const dims = x && elements && reshaped(node, x, elements);
  if (x === undefined || elements === undefined || dims === undefined) {
    a.giveUp(node, 'reshapes a value of unknown shape, or to an unknown shape');
    if (elements !== undefined) a.put(node, unproven(a, elements));
    return;
  }
  const reads = elements.flatMap((one) => one.reads);
  // No constant can state more than one symbolic length, except those copied from the input.
  const states = stated(dims, x.dims) ?? partly(a, node, elements, dims);
  if (states === undefined) {
    a.giveUp(node, 'reshapes to more than one dynamic length');
    a.put(node, { dims, axes: dims.map(() => undefined) });
    return;
  }
  const parts = unjoined(x);
  const followed = follow(a, node, parts, dims);
  const { axes } = followed;
  // A scalar as a vector of one, and back.
  a.put(node, { ...followed, dims, ...numbersOf(x) });
  a.edit(node, [...axes, ...parts.axes, ...reads], (view) => {
    const left = states.map((length, index) => {
      const axis = axes[index];
      return length !== undefined && length > 0 && axis !== undefined ? view.size(axis) : length;
    });
    if (left.includes(undefined)) {
      return { inputs: setInput(node, 1, view.lengths(node, 1, `${node.outputs[0]}_shape`, left)) };
    }
    const lengths = left as number[];
    if (a.model.opset < 5) return { attributes: setAttribute(node, attribute.ints('shape', lengths)) };
    const inputs = setInput(node, 1, view.ints(`${node.outputs[0]}_shape`, lengths));
    return {
      inputs,
      attributes: lengths.includes(0) ? setInt(node, 'allowzero', 0).filter(isNeeded(node)) : node.attributes,
    };
  });
};

/** The stated shape, if it cannot be derived from the input. */
function unproven(a: Analysis, elements: readonly Element[]): Value {
  return {
    dims: elements.map(({ dim }) => (dim === undefined || dim.factor < 1 ? a.openDim() : dim)),
    axes: elements.map(() => undefined),
  };
}

/** `allowzero` exists from opset 14 on: it is set only if the node has it. */
function isNeeded(node: Node): (one: { readonly name: string }) => boolean {
  const had = node.attributes.some((one) => one.name === 'allowzero');
  return (one) => one.name !== 'allowzero' || had;
}

/** Up to opset 4 the shape is an attribute. */
function attributeShape(node: Node): Element[] | undefined {
  return intsAttribute(node, 'shape')?.map((one) => ({ dim: known(one), reads: [] }));
}

/** The output dims, with 0 and −1 resolved. */
function reshaped(node: Node, x: Value, elements: readonly Element[]): Dim[] | undefined {
  const copies = intAttribute(node, 'allowzero', 0) === 0;
  const rest = elements.findIndex((one) => one.dim !== undefined && same(one.dim, known(-1)));
  const dims = elements.map((one, index) => {
    if (one.dim === undefined) return undefined;
    return copies && same(one.dim, known(0)) ? x.dims[index] : one.dim;
  });
  const open = dims.findIndex((dim, index) => dim === undefined && index !== rest);
  // One computed length is determined by the others, as −1 is.
  const found = rest >= 0 ? rest : open;
  if (open >= 0 && open !== found) return undefined;
  if (dims.some((dim, index) => dim === undefined && index !== found)) return undefined;
  if (found >= 0) {
    const others = dims.filter((_, index) => index !== found) as Dim[];
    dims[found] = over(product(x.dims), product(others));
    if (dims[found] === undefined) return undefined;
  }
  const all = dims as Dim[];
  if (all.some((dim) => dim.factor < 0)) return undefined;
  return same(product(all), product(x.dims)) ? all : undefined;
}

/** The shape as a constant: numbers, 0 for copied dims, and at most one −1. */
function stated(dims: readonly Dim[], copied: readonly Dim[]): number[] | undefined {
  let rests = 0;
  const list = dims.map((dim, index) => {
    const size = sizeOf(dim);
    if (size !== undefined) return size;
    const copy = copied[index];
    if (copy !== undefined && same(copy, dim)) return 0;
    rests++;
    return -1;
  });
  return rests > 1 || dims.some((dim) => dim.factor === 0) ? undefined : list;
}

/**
 * The shape with the known numbers, and undefined where the computed number stays in use. Channels counted in such a
 * number are pinned.
 */
function partly(
  a: Analysis,
  node: Node,
  elements: readonly Element[],
  dims: readonly Dim[],
): (number | undefined)[] | undefined {
  if (a.model.opset < MIXED_OPSET || dims.some((dim) => dim.factor === 0)) return undefined;
  return dims.map((dim, index) => {
    const size = sizeOf(dim);
    if (size === undefined) a.pinReads(node, elements.slice(index, index + 1));
    return size;
  });
}

/** A value with its joined dims replaced by their parts. */
function unjoined(x: Value): Pick<Value, 'dims' | 'axes'> {
  const parts = x.dims.map((dim, at) => x.joined?.get(at) ?? { dims: [dim], axes: [x.axes[at]] });
  return { dims: parts.flatMap((one) => one.dims), axes: parts.flatMap((one) => one.axes) };
}

/**
 * The output axes, from runs of dims with equal products. A run that becomes one open length, as rows and heads do for
 * a product of matrices, is remembered, so that the Reshape that splits it again finds its channels.
 */
function follow(
  a: Analysis,
  node: Node,
  x: Pick<Value, 'dims' | 'axes'>,
  dims: readonly Dim[],
): Pick<Value, 'axes' | 'joined'> {
  const axes: (Axis | undefined)[] = dims.map(() => undefined);
  const joined = new Map<number, Pick<Value, 'dims' | 'axes'>>();
  for (const link of linksOf(x.dims, dims)) {
    const [to = 0] = link.to;
    const parts = { dims: link.from.map((at) => x.dims[at] as Dim), axes: link.from.map((at) => x.axes[at]) };
    if (link.to.length === 1 && sizeOf(dims[to]) === undefined && parts.axes.some((axis) => axis !== undefined)) {
      joined.set(to, parts);
      continue;
    }
    const options = optionsOf(a, x, link);
    const chosen = options[Math.min(a.chosen(node), options.length - 1)];
    const axis = chosen && through(a.space, x.axes[chosen.from] as Axis, link, chosen.from, chosen.to);
    for (const at of link.from) {
      if (axis === undefined || at !== chosen?.from) {
        a.space.pin(x.axes[at], a.because(node, 'splits or merges them with others'));
      }
    }
    if (chosen === undefined || axis === undefined) continue;
    if (options.length > 1) a.choices.push({ node, options: options.length, axis });
    axes[chosen.to] = axis;
  }
  return joined.size > 0 ? { axes, joined } : { axes };
}

/** An axis before, and the one after that keeps its channels. */
interface Option {
  readonly from: number;
  readonly to: number;
}

/** Every way to keep channels along one axis before and one after, removable ones first. */
function optionsOf(a: Analysis, x: Pick<Value, 'axes'>, link: Link): Option[] {
  const pairs: Option[] = [];
  for (const from of link.from) {
    if (x.axes[from] === undefined) continue;
    // A dim of 1 has no channels.
    for (const [index, to] of link.to.entries()) if (link.toSizes[index] !== 1) pairs.push({ from, to });
  }
  const free = pairs.filter(({ from }) => a.space.pinOfAll(x.axes[from] as Axis) === undefined);
  return free.length > 0 ? free : pairs.slice(0, 1);
}

const flatten: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  if (x === undefined) return void a.giveUp(node, 'flattens a value of unknown shape');
  const at = axisOf(x, intAttribute(node, 'axis', 1));
  const dims = [product(x.dims.slice(0, at)), product(x.dims.slice(at))];
  a.put(node, { ...follow(a, node, x, dims), dims, ...numbersOf(x) });
};

/** Squeeze and Unsqueeze: dims of 1 are removed or added. */
const squeeze: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const axes = x && (axesOf(a, node) ?? ((node.inputs[1] ?? '') === '' ? onesOf(x) : undefined));
  if (x === undefined || axes === undefined) return void a.giveUp(node, 'squeezes a value of unknown shape');
  // Without axes, an axis with one channel left would be squeezed as well.
  const unstated = axesOf(a, node) === undefined;
  if (unstated) a.pinValue(node.inputs[0], a.because(node, 'removes every dim of 1, which they could become'));
  const gone = new Set(axes.map((one) => axisOf(x, one)));
  for (const at of gone) a.space.pin(x.axes[at], a.because(node, 'removes one of them'));
  const keep = <T>(list: readonly T[]): T[] => list.filter((_, index) => !gone.has(index));
  a.put(node, { ...carried(x), dims: keep(x.dims), axes: keep(x.axes) });
};

const unsqueeze: Rule = (node, a) => {
  const x = a.value(node.inputs[0]);
  const axes = axesOf(a, node);
  if (x === undefined || axes === undefined) return void a.giveUp(node, 'adds dims to a value of unknown shape');
  const rank = x.dims.length + axes.length;
  const added = new Set(axes.map((one) => (one < 0 ? one + rank : one)));
  let next = 0;
  const places = Array.from({ length: rank }, (_, index) => (added.has(index) ? undefined : next++));
  a.put(node, {
    ...carried(x),
    dims: places.map((at) => (at === undefined ? known(1) : (x.dims[at] ?? known(1)))),
    axes: places.map((at) => (at === undefined ? undefined : x.axes[at])),
  });
};

function numbersOf({ elements }: Value): Pick<Value, 'elements'> {
  return elements === undefined ? {} : { elements };
}

function carried(x: Value): Pick<Value, 'elements' | 'isConstant'> {
  return { ...numbersOf(x), ...(x.isConstant === true ? { isConstant: true } : {}) };
}

function axesOf(a: Analysis, node: Node): number[] | undefined {
  const stated = intsAttribute(node, 'axes');
  if (stated !== undefined || (node.inputs[1] ?? '') === '') return stated;
  const found = a.settings(node, 1);
  return found?.every((one) => one !== undefined) ? found : undefined;
}

/** Without axes every dim of 1 is squeezed, so all dims must be known. */
function onesOf(x: Value): number[] | undefined {
  if (x.dims.some((dim) => sizeOf(dim) === undefined)) return undefined;
  return x.dims.flatMap((dim, index) => (same(dim, known(1)) ? [index] : []));
}

export const reshaping: Rules = {
  ...{ Transpose: transpose, Reshape: reshape, Flatten: flatten, Squeeze: squeeze, Unsqueeze: unsqueeze },
};
