import { CompressError } from '../../errors.ts';
import { cloneBodies } from '../../ir/clone.ts';
import { constantOf } from '../../ir/constantNode.ts';
import { Graph, type ValueInfo } from '../../ir/graph.ts';
import { type Attribute, createNode, isOp, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';
import type { Tensor } from '../../ir/tensor.ts';

/** The bindings of a function's names and attributes at a call. */
interface Setting {
  /** Names in the caller, by names in the function. */
  readonly names: Map<string, string>;
  /** Attributes of the call, by name. */
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** A new name for a value or a node of the function. */
  readonly fresh: (name: string) => string;
  /** The initializer that all copies of the function read in place of a tensor; undefined if each has its own. */
  readonly sharedName: (tensor: Tensor | undefined, name: string) => string | undefined;
}

/** Smaller constants are copied: a number beside its node is easier to read and takes no more room. */
const SHARED_BYTES = 256;

/** Weights of functions that are called more than once: initializers of the main graph, one for all copies. */
export class SharedWeights {
  readonly #graph: Graph;
  readonly #names = new Map<Tensor, string>();

  /** @param graph - the main graph */
  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /** The initializer that holds the tensor; undefined if each copy gets its own. */
  nameOf(tensor: Tensor | undefined, callee: string, inside: string): string | undefined {
    if (tensor === undefined || tensor.dtype === 'string' || tensor.byteLength < SHARED_BYTES) return undefined;
    let name = this.#names.get(tensor);
    if (name === undefined) {
      name = this.#graph.uniqueName(`${callee}/${inside}`);
      this.#names.set(tensor, name);
      this.#graph.setInitializer({ ...tensor, name, from: { tensor, name: inside } });
    }
    return name;
  }
}

/**
 * The nodes that replace a call of a function: its inputs become those of the call, all other names are new, and
 * attribute references are resolved.
 * @param shared - the weights of a function that is called more than once
 */
export function instantiate(call: Node, callee: Graph, host: Graph, shared?: SharedWeights): Node[] {
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
    // An input that is also an output, or a value that is an output twice: an Identity passes it on.
    if (!names.has(name)) names.set(name, outside);
    else passed.push(createNode({ opType: 'Identity', inputs: [names.get(name) as string], outputs: [outside] }));
  });
  const given = [...(callee.signature?.defaults ?? []), ...call.attributes];
  const attributes = new Map(given.map((one) => [one.name, one]));
  const sharedName: Setting['sharedName'] = (tensor, name) => shared?.nameOf(tensor, callee.name, name);
  const setting: Setting = { names, attributes, fresh, sharedName };
  return [...copyNodes(callee, setting), ...passed];
}

function copyNodes(graph: Graph, setting: Setting): Node[] {
  const { names, fresh, sharedName } = setting;
  // A graph must make its own outputs.
  const givenOut = namesOf(graph.outputs);
  const copied: Node[] = [];
  for (const node of graph.nodes) {
    const [output = ''] = node.outputs;
    const own = !isOp(node, 'Constant') || givenOut.has(output) || isReshaped(graph, output);
    const weight = own ? undefined : sharedName(constantOf(node), output);
    if (weight !== undefined) names.set(output, weight);
    else copied.push(node);
    for (const one of node.outputs) if (!names.has(one)) names.set(one, one === '' ? '' : fresh(one));
  }
  return copied.map((node) => ({
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
      // A reference to an omitted attribute of the call is omitted too.
      if (given === undefined) return [];
      // A graph attribute belongs to the caller: each node gets its own copy.
      const own = cloneBodies(given);
      return [own.name === one.name ? own : { ...own, name: one.name }];
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
  const renamed = <T extends ValueInfo>(one: T): T => ({ ...one, name: names.get(one.name) ?? one.name });
  const copied = (tensor: Tensor): Tensor => ({ ...renamed(tensor), from: { tensor, name: tensor.name } });
  for (const { name } of body.inputs) names.set(name, outer.fresh(name));
  const givenOut = namesOf(body.outputs);
  const shared = new Set<Tensor>();
  for (const [name, tensor] of body.initializers) {
    if (body.isInput(name)) continue;
    const own = givenOut.has(name) || isReshaped(body, name);
    const weight = own ? undefined : outer.sharedName(tensor, name);
    names.set(name, weight ?? outer.fresh(name));
    if (weight !== undefined) shared.add(tensor);
  }
  const own = new Set(body.nodes.flatMap((node) => node.outputs));
  // Names that a body redefines shadow those of the function.
  for (const name of own) if (name !== '') names.set(name, outer.fresh(name));
  if (body.sparseInitializers.length > 0) throw new CompressError('internal', body.name, 'a body with sparse weights');
  return new Graph({
    name: body.name,
    nodes: copyNodes(body, setting),
    initializers: [...body.initializers.values()].filter((one) => !shared.has(one)).map(copied),
    inputs: body.inputs.map(renamed),
    outputs: body.outputs.map(renamed),
    valueInfo: body.valueInfo.map(renamed),
  });
}

/** Whether a node changes the dims of a weight, which passes do only if nothing else reads it. */
function isReshaped(graph: Graph, weight: string): boolean {
  return graph.uses(weight).some(({ node }) => node !== undefined && [...RESHAPES, 'Einsum'].includes(node.opType));
}

function namesOf(values: readonly ValueInfo[]): Set<string> {
  return new Set(values.map((one) => one.name));
}
