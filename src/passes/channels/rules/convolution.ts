import type { Vectors } from '../../../activations/requests.ts';
import { intsAttribute, type Node, stringAttribute } from '../../../ir/node.ts';
import type { PatchGeometry } from '../../../kernels/importance/patches.ts';
import { type SummedAxes, summedAxes } from '../../../layers/axes.ts';
import { ownBias } from '../../../layers/bias.ts';
import type { Analysis, Rule, Rules } from '../analysis.ts';
import { type Dim, known, sizeOf } from '../dims.ts';
import type { Axis } from '../space.ts';
import type { Factor } from '../structure.ts';
import type { Value } from '../values.ts';
import { inputOf, ownVectors, readOwn } from './own.ts';
import { setInt } from './write.ts';

/**
 * `Y[n, m] = Σ_c X[n, c] ⋆ W[m, c] + B[m]`: the inputs of X and W are coupled, and the outputs of W, B and Y. With
 * `group` above 1, every group has to keep the same number of channels.
 */
const conv: Rule = (node, a) => {
  const found = weightOf(node, a);
  if (found === undefined) return;
  const { x, weight, axes } = found;
  const { groups } = axes;
  const [outputs, own] = [sizeOf(weight.dims[axes.out]), sizeOf(weight.dims[axes.in])];
  if (outputs === undefined || own === undefined || outputs % groups !== 0 || !fits(x, own * groups)) {
    a.giveUp(node, 'has a weight that does not match its input');
    return;
  }
  const input = x?.axes[1];
  const [filters, ownAxis] = [weight.axes[axes.out], weight.axes[axes.in]];
  const windows = windowsOf(node, weight);
  if (groups === 1) a.space.couple(input, ownAxis, inputPin(a, node));
  else groupwise(a, node, groups, { input, first: filters, second: ownAxis });
  bias(a, node, filters);
  const spatial = spatialOf(a, x, weight, windows, false);
  const dims = [x?.dims[0] ?? a.openDim(), known(outputs), ...spatial];
  a.put(node, { dims, axes: [x?.axes[0], filters, ...spatial.map(() => undefined)] });
  a.products.push({
    ...{ node, weight: node.inputs[1] ?? '', outputs: filters, outputAxis: axes.out, inputAxis: axes.in },
    inputs: groups === 1 ? ownAxis : undefined,
    reads: groups === 1 ? vectorsOf(node, windows) : undefined,
    factors: factorsOf(dims, filters, weight, { dim: known(own), axis: groups === 1 ? ownAxis : undefined }),
  });
};

/** As Conv with the weight's first two axes in the other order; its groups are blocks of the input channels. */
const convTranspose: Rule = (node, a) => {
  const found = weightOf(node, a);
  if (found === undefined) return;
  const { x, weight, axes } = found;
  const { groups } = axes;
  const [inputs, own] = [sizeOf(weight.dims[axes.in]), sizeOf(weight.dims[axes.out])];
  if (inputs === undefined || own === undefined || inputs % groups !== 0 || !fits(x, inputs)) {
    a.giveUp(node, 'has a weight that does not match its input');
    return;
  }
  const input = x?.axes[1];
  const [first, second] = [weight.axes[axes.in], weight.axes[axes.out]];
  a.space.couple(input, first, inputPin(a, node));
  let outputs = second;
  if (groups > 1) {
    groupwise(a, node, groups, { input: first, first, second });
    outputs = first?.filter((_, index) => index % (inputs / groups) === 0);
    outputs =
      outputs && Int32Array.from({ length: own * groups }, (_, at) => outputs?.[Math.floor(at / own)] as number);
  }
  bias(a, node, outputs);
  const spatial = spatialOf(a, x, weight, undefined, true);
  const dims = [x?.dims[0] ?? a.openDim(), known(own * groups), ...spatial];
  a.put(node, { dims, axes: [x?.axes[0], outputs, ...spatial.map(() => undefined)] });
  const read = [x?.dims[0] ?? dims[0], known(inputs), ...(x?.dims.slice(2) ?? spatial.map(() => a.openDim()))] as Dim[];
  a.products.push({
    ...{ node, weight: node.inputs[1] ?? '', outputAxis: axes.out, inputAxis: axes.in },
    outputs: groups === 1 ? second : undefined,
    inputs: first,
    reads: vectorsOf(node, undefined),
    factors: factorsOf(read, first, weight, { dim: known(own), axis: groups === 1 ? second : undefined }),
  });
};

export const convolution: Rules = { Conv: conv, ConvTranspose: convTranspose };

function weightOf(node: Node, a: Analysis): { x: Value | undefined; weight: Value; axes: SummedAxes } | undefined {
  const weight = a.value(node.inputs[1]);
  const x = a.value(node.inputs[0]);
  const axes = summedAxes({ node, index: 1, transposed: false }, weight?.dims ?? []);
  const rank = weight?.dims.length ?? 0;
  if (
    weight === undefined ||
    rank < 3 ||
    axes === undefined ||
    axes.groups < 1 ||
    (x !== undefined && x.dims.length !== rank)
  ) {
    a.giveUp(node, 'has a computed weight, or one whose rank differs from its input');
    return undefined;
  }
  // The taps of the kernel and the pixels of the image: channels of another layer may run along these.
  const pin = a.because(node, 'convolves along them, so that their order matters');
  for (const axis of [...weight.axes.slice(2), ...(x?.axes.slice(2) ?? [])]) a.space.pin(axis, pin);
  return { x, weight, axes };
}

function fits(x: Value | undefined, channels: number): boolean {
  const size = sizeOf(x?.dims[1]);
  return size === undefined || size === channels;
}

function inputPin(a: Analysis, node: Node): ReturnType<Analysis['because']> {
  return a.because(node, 'reads a value whose channels cannot be traced');
}

function bias(a: Analysis, node: Node, outputs: Axis | undefined): void {
  if (ownBias(node) === undefined) return;
  const own = ownVectors(node, a, 2);
  const axis = inputOf(node, a, own, 2)?.axes[0];
  a.space.couple(outputs, axis, a.because(node, 'has a bias that is computed'));
  readOwn(node, a, own);
}

/** Makes the inputs and outputs of each group one channel; the number of groups is updated. */
function groupwise(
  a: Analysis,
  node: Node,
  groups: number,
  axes: { readonly input: Axis | undefined; readonly first: Axis | undefined; readonly second: Axis | undefined },
): void {
  const { input, first, second } = axes;
  a.space.pin(second, a.because(node, `has ${groups} groups, which can only be removed whole`));
  if (first === undefined || input === undefined) {
    a.space.couple(first, input, inputPin(a, node));
    return;
  }
  for (const axis of [first, input]) {
    const block = axis.length / groups;
    for (let index = 0; index < axis.length; index++) {
      a.space.unite(first[Math.floor(index / block) * (first.length / groups)] as number, axis[index] as number);
    }
  }
  const block = first.length / groups;
  a.edit(node, [first], (view) => ({ attributes: setInt(node, 'group', view.size(first) / block) }));
}

/** The vectors that one group reads: its windows where they are known, otherwise the channels of each pixel. */
function vectorsOf(node: Node, windows: PatchGeometry | undefined): Vectors {
  const value = node.inputs[0] ?? '';
  return windows === undefined ? { kind: 'matrix', value, axis: 1 } : { kind: 'patches', value, geometry: windows };
}

/** The windows of a Conv; undefined if its padding depends on the size of the image. */
function windowsOf(node: Node, weight: Value): PatchGeometry | undefined {
  const kernel = weight.dims.slice(2).map((dim) => sizeOf(dim) ?? 0);
  const ones = kernel.map(() => 1);
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (auto !== 'NOTSET' && auto !== 'VALID') return undefined;
  const pads = (auto === 'NOTSET' ? intsAttribute(node, 'pads') : undefined) ?? [...kernel, ...kernel].map(() => 0);
  const strides = intsAttribute(node, 'strides') ?? ones;
  const dilations = intsAttribute(node, 'dilations') ?? ones;
  const whole = [strides, dilations].every((list) => list.length === kernel.length && list.every((one) => one >= 1));
  if (!whole || pads.length !== kernel.length * 2 || kernel.some((one) => one < 1)) return undefined;
  return { kernel, strides, dilations, pads, autoPad: 'NOTSET', groups: 1, order: 'channels_first' };
}

/** Spatial lengths of the output: `⌊(in + pads − dilation·(kernel − 1) − 1) / stride⌋ + 1`. */
function spatialOf(
  a: Analysis,
  x: Value | undefined,
  weight: Value,
  windows: PatchGeometry | undefined,
  transposed: boolean,
): Dim[] {
  return weight.dims.slice(2).map((_, axis) => {
    const size = sizeOf(x?.dims[axis + 2]);
    if (size === undefined || windows === undefined || transposed) return a.openDim();
    const [kernel, stride, dilation] = [
      windows.kernel[axis],
      windows.strides[axis],
      windows.dilations[axis],
    ] as number[];
    const pads = (windows.pads[axis] ?? 0) + (windows.pads[axis + windows.kernel.length] ?? 0);
    const covered = (dilation as number) * ((kernel as number) - 1) + 1;
    return known(Math.max(0, Math.floor((size + pads - covered) / (stride as number)) + 1));
  });
}

function factorsOf(dims: readonly Dim[], channels: Axis | undefined, weight: Value, own: Factor): Factor[] {
  const image = dims.map((dim, axis): Factor => ({ dim, axis: axis === 1 ? channels : undefined }));
  return [...image, own, ...weight.dims.slice(2).map((dim): Factor => ({ dim, axis: undefined }))];
}
