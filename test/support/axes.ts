/** Models in which the channels of a layer lie along a chosen input axis of an operator. */
import { type AttributeSpec, buildModel, f32, type GraphSpec, i64, type NodeSpec, type TensorSpec } from './build.ts';
import { inputOf, type Removal, removal } from './channels.ts';
import { randomFloats, seeded } from './random.ts';

/** An operator, its inputs, and the axes that may lose channels. */
export interface AxisCase {
  readonly op: string;
  /** A domain other than the standard one, of version 1. */
  readonly domain?: string;
  /** 17 if absent. */
  readonly opset?: number;
  /** Dims of the input; if absent, 3 rows of 6 channels of 4 by 8. */
  readonly dims?: readonly number[];
  readonly attributes?: Readonly<Record<string, AttributeSpec>>;
  /** Weights and settings by name. */
  readonly more?: NonNullable<GraphSpec['initializers']>;
  /** Names of its inputs, of which `v` is tested; if absent, `v` followed by `more`. */
  readonly inputs?: readonly string[];
  /** Nodes that compute further inputs from `v` and `more`. */
  readonly before?: readonly NodeSpec[];
  /** Which output is read; the first if absent. */
  readonly output?: number;
  /** Dims of that output; those of `v` if absent. */
  readonly out?: readonly number[];
  /** The output axis of each axis of `v`, or −1 if it is gone; the same axes if absent. */
  readonly to?: readonly number[];
  /** Axes that may lose channels; all others may not. */
  readonly free: readonly number[];
}

/** The default input dims. */
export const IMAGE: readonly number[] = [3, 6, 4, 8];

/** Seeded weights. */
export function weight(dims: readonly number[], seed = 1, low = -1, high = 1): TensorSpec {
  return f32(dims, randomFloats(dims, seed, low, high));
}

/** The same case for several operators. */
export function each(ops: string, one: Omit<AxisCase, 'op'>): AxisCase[] {
  return ops.split(' ').map((op) => ({ op, ...one }));
}

/** Every axis of an image. */
export const ALL: readonly number[] = [0, 1, 2, 3];

/** An int32 vector. */
export function int32(...values: readonly number[]): TensorSpec {
  return { dtype: 'int32', dims: [values.length], data: Int32Array.from(values) };
}

/** An int64 vector. */
export function ints(...values: readonly (number | bigint)[]): TensorSpec {
  return i64([values.length], values);
}

/**
 * `x → MatMul → Transpose → v → the operator → u → Transpose → MatMul → y`: the channels that the first MatMul makes are axis
 * `axis` of `v`, and the second one reads them along the axis that this is of `u`.
 */
export function axisModel(one: AxisCase, axis: number): Uint8Array {
  const dims = one.dims ?? IMAGE;
  const rank = dims.length;
  const output = one.output ?? 0;
  const outputs = Array.from({ length: output + 1 }, (_, index) => (index === output ? 'u' : `u${index}`));
  const nodes: NodeSpec[] = [
    { op: 'MatMul', in: ['x', 'makes'], out: ['h'] },
    { op: 'Transpose', in: ['h'], out: ['v'], attributes: { perm: placed(rank, axis) } },
    ...(one.before ?? []),
    {
      op: one.op,
      domain: one.domain ?? '',
      in: one.inputs ?? ['v', ...Object.keys(one.more ?? {})],
      out: outputs,
      ...(one.attributes === undefined ? {} : { attributes: one.attributes }),
    },
    { op: 'Cast', in: ['u'], out: ['floats'], attributes: { to: 1 } },
  ];
  const out = one.out ?? dims;
  const at = one.to === undefined ? axis : (one.to[axis] as number);
  if (at < 0) nodes.push({ op: 'Identity', in: ['floats'], out: ['y'] });
  else {
    const order = [...out.keys()].filter((index) => index !== at).concat(at);
    nodes.push({ op: 'Transpose', in: ['floats'], out: ['turned'], attributes: { perm: order } });
    nodes.push({ op: 'MatMul', in: ['turned', 'reads'], out: ['y'] });
  }
  const reads = at < 0 ? {} : { reads: weight([out[at] as number, 2], 12) };
  return buildModel({
    opset: one.opset ?? 17,
    domains: one.domain === undefined ? {} : { [one.domain]: 1 },
    inputs: { x: f32(inputDims(dims, axis)) },
    outputs: { y: f32() },
    nodes,
    initializers: { makes: weight([3, dims[axis] as number], 11), ...reads, ...(one.more ?? {}) },
  });
}

/** The result of removing half of the channels along the axis. */
export function axisRemoval(one: AxisCase, axis: number): Promise<Removal> {
  const feeds = { x: inputOf(inputDims(one.dims ?? IMAGE, axis), seeded(axis + 1)) };
  return removal(axisModel(one, axis), { amount: 0.5, roundTo: 1 }, feeds);
}

function inputDims(dims: readonly number[], axis: number): number[] {
  return [...dims.filter((_, index) => index !== axis), 3];
}

/** The permutation that moves the last axis to the chosen one. */
function placed(rank: number, axis: number): number[] {
  const others = Array.from({ length: rank - 1 }, (_, index) => index);
  return [...others.slice(0, axis), rank - 1, ...others.slice(axis)];
}
