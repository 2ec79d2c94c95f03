import { elementCount } from '../../../ir/dtype.ts';
import { intAttribute, intsAttribute, type Node, stringAttribute } from '../../../ir/node.ts';
import { reshapedDims } from '../../../ir/reshapedDims.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { filled, join, place } from '../../../kernels/constant/move.ts';
import {
  arithmetic,
  broadcastDims,
  broadcastWalk,
  isLongAndEmpty,
  stridesOf,
  type Walk,
} from '../../../kernels/constant/shape.ts';
import { axisOf, type Call, integers, type Operators, type Planned, sizeOf } from '../call.ts';
import { walked } from '../walked.ts';

/** Operators that only move elements, of any type whose elements have whole bytes. */
export const MOVING: Operators = {
  Identity: ({ inputs: [x] }) => x && [{ same: x, dims: x.dims }],
  Dropout: ({ inputs: [x, , training] }) => (x && training === undefined ? [{ same: x, dims: x.dims }] : undefined),
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Transpose: ({ node, inputs: [x] }) => x && walked(x, transposed(node, x.dims)),
  Slice: async (call) => call.inputs[0] && walked(call.inputs[0], await sliced(call, call.inputs[0].dims)),
  Split: split,
  Gather: gather,
  Expand: async ({ inputs: [x, shape] }) => {
    const wanted = await integers(shape);
    const dims = x && wanted && broadcastDims(x.dims, wanted);
    return dims && x && !isLongAndEmpty(dims) ? walked(x, broadcastWalk(x.dims, dims)) : undefined;
  },
  Concat: concat,
  Pad: pad,
};

async function reshape({ node, inputs: [x, second] }: Call): Promise<readonly Planned[] | undefined> {
  const list = intsAttribute(node, 'axes') ?? (await integers(second));
  if (x === undefined || (second !== undefined && list === undefined)) return undefined;
  const dims = reshapedDims(node, x.dims, list);
  return dims && [{ same: x, dims }];
}

function transposed(node: Node, dims: readonly number[]): Walk | undefined {
  const perm = intsAttribute(node, 'perm') ?? dims.map((_, axis) => dims.length - 1 - axis);
  if (perm.length !== dims.length || new Set(perm).size !== perm.length) return undefined;
  if (perm.some((axis) => axisOf(axis, dims.length) !== axis)) return undefined;
  const strides = stridesOf(dims);
  return { base: 0, steps: perm.map((axis) => arithmetic(dims[axis] as number, 0, strides[axis] as number)) };
}

/** Up to opset 9, the bounds are attributes. */
async function sliced({ node, inputs }: Call, dims: readonly number[]): Promise<Walk | undefined> {
  const [, ...given] = inputs;
  const [starts, ends, axes, strides] = await Promise.all([0, 1, 2, 3].map((index) => integers(given[index])));
  const first = intsAttribute(node, 'starts') ?? starts;
  const last = intsAttribute(node, 'ends') ?? ends;
  const along = intsAttribute(node, 'axes') ?? axes ?? first?.map((_, axis) => axis);
  if (first === undefined || last === undefined || along === undefined) return undefined;
  // A bound is present but not constant.
  if (given.some((one, index) => one !== undefined && [starts, ends, axes, strides][index] === undefined))
    return undefined;
  const own = stridesOf(dims);
  const steps = dims.map((length, axis) => arithmetic(length, 0, own[axis] as number));
  for (const [index, given] of along.entries()) {
    const axis = axisOf(given, dims.length);
    const [start, end] = [first[index], last[index]];
    const step = strides?.[index] ?? 1;
    if (axis === undefined || start === undefined || end === undefined || step === 0) return undefined;
    const range = sliceRange(dims[axis] as number, start, end, step);
    steps[axis] = arithmetic(range.length, range.first * (own[axis] as number), step * (own[axis] as number));
  }
  return { base: 0, steps };
}

/** Which of `length` elements a slice takes: `count` of them, from `first` on. */
export function sliceRange(
  length: number,
  start: number,
  end: number,
  step: number,
): { readonly first: number; readonly length: number } {
  const bound = (at: number, low: number, high: number): number =>
    Math.min(Math.max(at < 0 ? at + length : at, low), high);
  const down = step < 0;
  const first = bound(start, 0, down ? length - 1 : length);
  const last = bound(end, down ? -1 : 0, down ? length - 1 : length);
  return { first, length: Math.max(0, Math.ceil((last - first) / step)) };
}

async function split({ node, opset, inputs: [x, sizes] }: Call): Promise<readonly Planned[] | undefined> {
  const axis = x && axisOf(intAttribute(node, 'axis', 0), x.dims.length);
  if (x === undefined || axis === undefined) return undefined;
  const given = intsAttribute(node, 'split') ?? (await integers(sizes));
  if (sizes !== undefined && given === undefined) return undefined;
  const count = node.outputs.length;
  const length = x.dims[axis] as number;
  const even = opset >= 18 ? Math.ceil(length / count) : length / count;
  const lengths = given ?? node.outputs.map((_, index) => Math.min(even, length - index * even));
  const whole = lengths.every((one) => Number.isInteger(one) && one >= 0);
  if (!whole || lengths.length !== count || lengths.reduce((a, b) => a + b, 0) !== length) return undefined;
  const own = stridesOf(x.dims);
  let start = 0;
  const planned: Planned[] = [];
  for (const part of lengths) {
    const steps = x.dims.map((dim, at) => arithmetic(at === axis ? part : dim, 0, own[at] as number));
    const [one] = walked(x, { base: start * (own[axis] as number), steps }) ?? [];
    if (one === undefined) return undefined;
    planned.push(one);
    start += part;
  }
  return planned;
}

async function gather({ node, inputs: [x, indices] }: Call): Promise<readonly Planned[] | undefined> {
  const axis = x && axisOf(intAttribute(node, 'axis', 0), x.dims.length);
  const list = await integers(indices);
  if (x === undefined || axis === undefined || list === undefined || indices === undefined) return undefined;
  const length = x.dims[axis] as number;
  const found = list.map((one) => axisOf(one, length));
  if (found.includes(undefined)) return undefined;
  const own = stridesOf(x.dims);
  const step = own[axis] as number;
  const steps = x.dims.map((dim, at) =>
    at === axis ? Int32Array.from(found as number[], (one) => one * step) : arithmetic(dim, 0, own[at] as number),
  );
  const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)];
  return walked(x, { base: 0, steps }, dims);
}

function concat({ node, inputs }: Call): readonly Planned[] | undefined {
  const [first] = inputs;
  if (first === undefined || inputs.includes(undefined)) return undefined;
  const all = inputs as readonly Tensor[];
  const rank = first.dims.length;
  const axis = axisOf(intAttribute(node, 'axis', 1), rank);
  const size = sizeOf(first.dtype);
  if (axis === undefined || size === undefined) return undefined;
  const fits = (one: Tensor): boolean =>
    one.dtype === first.dtype &&
    one.dims.length === rank &&
    one.dims.every((dim, at) => at === axis || dim === first.dims[at]);
  if (!all.every(fits)) return undefined;
  const outer = elementCount(first.dims.slice(0, axis));
  const rows = all.map((one) => elementCount(one.dims.slice(axis)) * size);
  const length = all.reduce((sum, one) => sum + (one.dims[axis] as number), 0);
  const dims = first.dims.map((dim, at) => (at === axis ? length : dim));
  const compute = (loaded: readonly Uint8Array[]): Uint8Array =>
    join(
      loaded.map((bytes, index) => ({ bytes, row: rows[index] as number })),
      outer,
    );
  return [{ dtype: first.dtype, dims, reads: all, compute, sure: true }];
}

async function pad({ node, inputs: [x, given, value, axes] }: Call): Promise<readonly Planned[] | undefined> {
  const pads = intsAttribute(node, 'pads') ?? (await integers(given));
  const size = x && sizeOf(x.dtype);
  const plain = stringAttribute(node, 'mode', 'constant') === 'constant' && axes === undefined && given !== undefined;
  if (x === undefined || pads === undefined || size === undefined || !plain) return undefined;
  const rank = x.dims.length;
  if (pads.length !== 2 * rank || pads.some((one) => one < 0)) return undefined;
  if (value !== undefined && (value.dtype !== x.dtype || elementCount(value.dims) !== 1)) return undefined;
  const dims = x.dims.map((dim, axis) => dim + (pads[axis] as number) + (pads[rank + axis] as number));
  const own = stridesOf(dims);
  const base = own.reduce((sum, stride, axis) => sum + stride * (pads[axis] as number), 0);
  const steps = x.dims.map((dim, axis) => arithmetic(dim, 0, own[axis] as number));
  const compute = ([bytes, fill = new Uint8Array(size)]: readonly Uint8Array[]): Uint8Array => {
    const out = filled(fill, elementCount(dims) * size);
    place(out, bytes as Uint8Array, size, { base, steps });
    return out;
  };
  return [{ dtype: x.dtype, dims, reads: value === undefined ? [x] : [x, value], compute, sure: true }];
}
