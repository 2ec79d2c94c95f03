import { CompressError } from '../../errors.ts';
import { Graph, type ValueInfo } from '../../ir/graph.ts';
import { type Attribute, createNode, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';

/** What the parts of a function mean where it is called. */
interface Setting {
  /** Names outside for names inside. */
  readonly names: Map<string, string>;
  /** Attributes of the call, by the names references use. */
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** A new name for a value or a node of the function. */
  readonly fresh: (name: string) => string;
}

/**
 * The nodes that stand for a call of a function: its inputs replaced by what the call gives, every other name new, and
 * references to attributes by the attributes of the call.
 */
export function instantiate(call: Node, callee: Graph, host: Graph): Node[] {
  const prefix = call.name || call.outputs.find((one) => one !== '') || callee.name;
  const fresh = (name: string): string => host.uniqueName(`${prefix}/${name}`);
  const names = new Map<string, string>();
  callee.inputs.forEach(({ name }, index) => {
    names.set(name, call.inputs[index] ?? '');
  });
  const passed: Node[] = [];
  callee.outputs.forEach(({ name }, index) => {
    const outside = call.outputs[index] ?? '';
    if (outside === '') return;
    // An input that is an output as well, or one value twice: an Identity hands it on.
    if (!names.has(name)) names.set(name, outside);
    else passed.push(createNode({ opType: 'Identity', inputs: [names.get(name) as string], outputs: [outside] }));
  });
  const given = [...(callee.signature?.defaults ?? []), ...call.attributes];
  const attributes = new Map(given.map((one) => [one.name, one]));
  const setting: Setting = { names, attributes, fresh };
  return [...copyNodes(callee.nodes, setting), ...passed];
}

function copyNodes(nodes: readonly Node[], setting: Setting): Node[] {
  const { names, fresh } = setting;
  for (const node of nodes)
    for (const output of node.outputs) if (!names.has(output)) names.set(output, nameFor(output));
  function nameFor(name: string): string {
    return name === '' ? '' : fresh(name);
  }
  return nodes.map((node) => ({
    ...node,
    name: node.name === '' ? '' : fresh(node.name),
    inputs: node.inputs.map((one) => names.get(one) ?? one),
    outputs: node.outputs.map((one) => names.get(one) ?? one),
    attributes: node.attributes.flatMap((one) => copyAttribute(one, setting)),
  }));
}

function copyAttribute(one: Attribute, setting: Setting): Attribute[] {
  switch (one.type) {
    case 'reference': {
      const given = setting.attributes.get(one.value);
      // A reference to what the call leaves out leaves the attribute out too.
      if (given === undefined) return [];
      return [given.name === one.name ? given : { ...given, name: one.name }];
    }
    case 'graph':
      return [{ ...one, value: copyBody(one.value, setting) }];
    case 'graphs':
      return [{ ...one, value: one.value.map((body) => copyBody(body, setting)) }];
    default:
      return [one];
  }
}

function copyBody(body: Graph, outer: Setting): Graph {
  const names = new Map(outer.names);
  const setting = { ...outer, names };
  const renamed = <T extends ValueInfo | Tensor>(one: T): T => ({ ...one, name: names.get(one.name) ?? one.name });
  for (const { name } of body.inputs) names.set(name, outer.fresh(name));
  for (const name of body.initializers.keys()) if (!body.isInput(name)) names.set(name, outer.fresh(name));
  const own = new Set(body.nodes.flatMap((node) => node.outputs));
  // Names of the function that a body defines anew mean the body's inside it.
  for (const name of own) if (name !== '') names.set(name, outer.fresh(name));
  if (body.sparseInitializers.length > 0) throw new CompressError('internal', body.name, 'a body with sparse weights');
  return new Graph({
    name: body.name,
    nodes: copyNodes(body.nodes, setting),
    initializers: [...body.initializers.values()].map(renamed),
    inputs: body.inputs.map(renamed),
    outputs: body.outputs.map(renamed),
    valueInfo: body.valueInfo.map(renamed),
  });
}
