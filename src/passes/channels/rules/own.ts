import { elementCount, isFloat } from '../../../ir/dtype.ts';
import type { Node } from '../../../ir/node.ts';
import type { Analysis } from '../analysis.ts';
import type { Weight } from '../structure.ts';
import type { Value } from '../values.ts';

/** For each input of a node the vector that it is to have for itself; undefined for all other inputs. */
export type OwnVectors = readonly (Weight | undefined)[];

/**
 * The biases and scales of a node that other nodes read too. Exporters store equal ones once, the zeros of all layers
 * for example: the node gets its own, so that layers that have nothing else in common lose channels by themselves.
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

/** What is known of an input: of the node's own vector, or of what it reads. */
export function inputOf(node: Node, a: Analysis, own: OwnVectors, index: number): Value | undefined {
  return own[index]?.value ?? a.value(node.inputs[index]);
}

/** Gives the node its own vectors where they lose channels. */
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
