import { elementCount, isFloat } from '../../../ir/dtype.ts';
import type { Node } from '../../../ir/node.ts';
import type { Analysis } from '../analysis.ts';
import type { Weight } from '../structure.ts';
import type { Value } from '../values.ts';

/** For each input of a node, the vector that it gets a copy of; undefined for all other inputs. */
export type OwnVectors = readonly (Weight | undefined)[];

/**
 * The biases and scales that a node shares with other nodes. Exporters store equal vectors once, for example zero
 * biases. The node gets its own copy, so that otherwise unrelated layers are not coupled.
 * @param first - the first input that may be one
 */
export function ownVectors(node: Node, a: Analysis, first = 0): OwnVectors {
  return node.inputs.map((name, index) => {
    const held = index < first ? undefined : a.graph.constant(name);
    if (held === undefined || !isFloat(held.tensor.dtype)) return undefined;
    const { dims } = held.tensor;
    const isVector = elementCount(dims) > 1 && elementCount(dims) === Math.max(...dims);
    return isVector ? a.copyOf(name) : undefined;
  });
}

/** What is known of an input: of the node's own copy, or of the value it reads. */
export function inputOf(node: Node, a: Analysis, own: OwnVectors, index: number): Value | undefined {
  return own[index]?.value ?? a.value(node.inputs[index]);
}

/** Gives the node its own copies of vectors that lose channels. */
export function readOwn(node: Node, a: Analysis, own: OwnVectors): void {
  const axes = own.flatMap((one) => one?.value.axes ?? []);
  a.edit(node, axes, (view) => ({
    inputs: node.inputs.map((name, index) => {
      const copy = own[index];
      const changes = copy?.value.axes.some((axis) => axis !== undefined && view.size(axis) < axis.length);
      return copy !== undefined && changes === true ? view.copy(copy) : name;
    }),
  }));
}
