import { type Attribute, attribute, type Node } from '../../../ir/node.ts';

/** The attributes with one integer replaced, or added. */
export function setInt(node: Node, name: string, value: number): Attribute[] {
  return setAttribute(node, attribute.int(name, value));
}

/** The attributes with one replaced, or added. */
export function setAttribute(node: Node, one: Attribute): Attribute[] {
  const at = node.attributes.findIndex((other) => other.name === one.name);
  return at < 0 ? [...node.attributes, one] : node.attributes.map((other, index) => (index === at ? one : other));
}

/** The inputs with one replaced; omitted ones between are empty. */
export function setInput(node: Node, index: number, name: string): string[] {
  const inputs = [...node.inputs];
  while (inputs.length <= index) inputs.push('');
  inputs[index] = name;
  return inputs;
}

/** From this opset on, Where takes integers: some numbers of a shape can be updated while others are computed. */
export const MIXED_OPSET = 9;
