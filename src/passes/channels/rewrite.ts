import { runsOf } from '../../compute/chunks.ts';
import { elementCount } from '../../ir/dtype.ts';
import type { Constant, ValueInfo } from '../../ir/graph.ts';
import { createNode, type Node } from '../../ir/node.ts';
import { constant, piecewise, type Tensor } from '../../ir/tensor.ts';
import { gatherAxis } from '../../kernels/channels.ts';
import { dropUnused, replaceConstant } from '../../layers/constant.ts';
import type { Analysis } from './analysis.ts';
import type { Removed } from './select.ts';
import type { Axis } from './space.ts';
import type { View, Weight } from './structure.ts';

/** Tensors that replace sliced ones, and biases of nodes that had none. */
export interface Fitted {
  readonly replaced: ReadonlyMap<string, Tensor>;
  readonly biases: readonly { readonly node: Node; readonly bias: Tensor }[];
  readonly notes: readonly string[];
}

/** The kept indices of every axis. */
export class Remaining implements View {
  readonly #analysis: Analysis;
  readonly #removed: Removed;
  readonly #kept = new Map<Axis, readonly number[]>();
  /** Weights of which some readers have a copy. */
  readonly copied: Set<Constant> = new Set();

  constructor(analysis: Analysis, removed: Removed) {
    this.#analysis = analysis;
    this.#removed = removed;
  }

  kept(axis: Axis): readonly number[] {
    const known = this.#kept.get(axis);
    if (known !== undefined) return known;
    const { space } = this.#analysis;
    const kept: number[] = [];
    axis.forEach((channel, index) => {
      if (!this.#removed.has(space.find(channel))) kept.push(index);
    });
    this.#kept.set(axis, kept);
    return kept;
  }

  size(axis: Axis): number {
    return this.kept(axis).length;
  }

  changes(axis: Axis | undefined): axis is Axis {
    return axis !== undefined && this.size(axis) < axis.length;
  }

  ints(base: string, values: readonly (number | bigint)[], dtype: 'int32' | 'int64' = 'int64'): string {
    const { graph } = this.#analysis;
    const name = graph.uniqueName(base);
    const data = dtype === 'int64' ? BigInt64Array.from(values, BigInt) : Int32Array.from(values, Number);
    graph.addInitializer(constant(name, dtype, [values.length], data));
    return name;
  }

  lengths(node: Node, index: number, base: string, values: readonly (number | undefined)[]): string {
    const stated = this.ints(
      base,
      values.map((one) => one ?? 0),
    );
    if (!values.includes(undefined)) return stated;
    const { graph } = this.#analysis;
    const [mask, name] = [graph.uniqueName(`${base}_stated`), graph.uniqueName(`${base}_left`)];
    const is = Uint8Array.from(values, (one) => (one === undefined ? 0 : 1));
    graph.addInitializer(constant(mask, 'bool', [values.length], is));
    const inputs = [mask, stated, node.inputs[index] ?? ''];
    graph.insertBefore(node, createNode({ name, opType: 'Where', inputs, outputs: [name] }));
    return name;
  }

  copy(weight: Weight): string {
    const { graph } = this.#analysis;
    const name = graph.uniqueName(weight.name);
    graph.addInitializer({ ...sliced(weight, this), name });
    this.copied.add(weight.held);
    return name;
  }
}

/** The weights that lose channels. */
export function shrinking(analysis: Analysis, left: Remaining): Weight[] {
  return [...analysis.weights.values()].filter(({ value }) => value.axes.some((axis) => left.changes(axis)));
}

/** The weight without the removed channels, computed in chunks when it is read. */
export function sliced({ held, value }: Weight, left: Remaining): Tensor {
  const { tensor } = held;
  const { name, dtype, dims, extra } = tensor;
  const keeps = value.axes.map((axis) => (left.changes(axis) ? left.kept(axis) : undefined));
  const made = dims.map((dim, axis) => keeps[axis]?.length ?? dim);
  const element = tensor.byteLength / elementCount(dims);
  const [rows, ...inner] = keeps;
  async function* chunks(): AsyncGenerator<Uint8Array, void, void> {
    let row = 0;
    for await (const { bytes, count } of runsOf(tensor, elementCount(dims.slice(1)))) {
      const own = rows?.filter((one) => one >= row && one < row + count).map((one) => one - row);
      yield gathered(bytes, [count, ...dims.slice(1)], [own, ...inner], element);
      row += count;
    }
  }
  return piecewise(name, dtype, made, chunks, extra);
}

/** The kept indices along every axis that loses some. */
function gathered(
  bytes: Uint8Array,
  dims: readonly number[],
  keeps: readonly (readonly number[] | undefined)[],
  element: number,
): Uint8Array {
  const now = [...dims];
  return keeps.reduce((all: Uint8Array, kept, axis) => {
    if (kept === undefined) return all;
    const inner = elementCount(now.slice(axis + 1)) * element;
    const size = now[axis] as number;
    now[axis] = kept.length;
    return gatherAxis(all, { size, inner }, kept);
  }, bytes);
}

/** Updates the graph: weights, lengths that nodes state, and the stated types of values. */
export function rewrite(analysis: Analysis, left: Remaining, fitted: Fitted | undefined): void {
  const { graph } = analysis;
  // A refitted bias may keep its length.
  const changed = new Set(shrinking(analysis, left).map((one) => one.name));
  for (const weight of analysis.weights.values()) {
    const tensor = fitted?.replaced.get(weight.name);
    if (tensor === undefined && !changed.has(weight.name)) continue;
    replaceConstant(weight.held, tensor ?? sliced(weight, left));
  }
  // A node may change more than once: its number of groups, and its bias.
  const now = new Map<Node, Node>();
  const replace = (node: Node, change: (old: Node) => Partial<Node>): void => {
    const old = now.get(node) ?? node;
    const next = { ...old, ...change(old) };
    graph.replaceNode(old, next);
    now.set(node, next);
  };
  for (const { node, axes, change } of analysis.edits) {
    if (axes.some((axis) => left.changes(axis))) replace(node, () => change(left));
  }
  for (const { node, bias } of fitted?.biases ?? []) {
    const name = graph.uniqueName(bias.name);
    graph.addInitializer({ ...bias, name });
    replace(node, ({ inputs }) => ({ inputs: [...inputs.slice(0, 2), name] }));
  }
  // By now every reader may have a copy.
  for (const held of left.copied) dropUnused(held, analysis.model.trainingNames);
  graph.setValueInfo(graph.valueInfo.flatMap((one) => restated(analysis, left, one)));
}

/** The stated type of a value, with its new dims; nothing if the file contradicts what was proven. */
function restated(analysis: Analysis, left: Remaining, info: ValueInfo): ValueInfo[] {
  const value = analysis.valueWithJoined(info.name);
  if (value === undefined || info.dims === undefined) return [info];
  // A joined length has a symbolic name that mentions its parts.
  const joined = [...(value.joined?.values() ?? [])].flatMap((one) => one.axes);
  if (joined.some((axis) => left.changes(axis))) return [];
  if (!value.axes.some((axis) => left.changes(axis))) return [info];
  if (value.dims.length !== info.dims.length) return [];
  const dims = info.dims.map((dim, index) => {
    const axis = value.axes[index];
    return left.changes(axis) ? left.size(axis) : dim;
  });
  return [{ ...info, dims }];
}
