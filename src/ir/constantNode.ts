import type { Node } from './node.ts';
import { constant, type Tensor } from './tensor.ts';

const made = new WeakMap<Node, Tensor>();

/** The tensor of a Constant node (the same object on each call), or undefined for strings and sparse values. */
export function constantOf(node: Node): Tensor | undefined {
  const tensor = made.get(node) ?? read(node);
  if (tensor !== undefined) made.set(node, tensor);
  return tensor;
}

function read(node: Node): Tensor | undefined {
  const [one] = node.attributes.filter((attribute) => attribute.name.startsWith('value'));
  const name = node.outputs[0] ?? '';
  switch (one?.type) {
    case 'tensor':
      return one.value;
    case 'float':
      return constant(name, 'float32', [], Float32Array.of(one.value));
    case 'floats':
      return constant(name, 'float32', [one.value.length], Float32Array.from(one.value));
    case 'int':
      return constant(name, 'int64', [], BigInt64Array.of(one.value));
    case 'ints':
      return constant(name, 'int64', [one.value.length], BigInt64Array.from(one.value));
    default:
      return undefined;
  }
}
