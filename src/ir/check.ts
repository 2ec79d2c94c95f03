import { CompressError } from '../errors.ts';
import { withBodies } from './bodies.ts';
import { Calls } from './calls.ts';
import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import { bodiesOf, labelOf, type Node } from './node.ts';
import { inOrder } from './order.ts';

/** Number of names shown in a sentence; longer lists are cut. */
const SHOWN = 6;

/** Names that a graph and the bodies in it read and do not define. */
type Missing = ReadonlySet<string>;

/**
 * Checks that a model is well formed enough to rewrite: every value that is read or output is defined exactly once, and
 * the nodes have no cycle. Their order does not matter, because ONNX Runtime sorts them. A function that is never
 * called may hold anything but a call of itself. The time is linear in the size of the model; no weight is read.
 * @throws CompressError `malformed` that names nodes and values
 */
export function checkModel(model: Model): void {
  const calls = new Calls(model);
  const circle = calls.circle(model.functions);
  if (circle !== undefined) throw broken('', `the functions call each other in a cycle: ${around(circle, nameOf)}`);
  const missing = new Map<Graph, Missing>();
  // Inner bodies come before the graphs that contain them.
  for (const graph of withBodies([...calls.reached([model.graph])]).reverse()) {
    const names = checkGraph(graph, (body) => missing.get(body) ?? new Set());
    missing.set(graph, names);
    // ONNX Runtime lets a function read the values of its caller, as if its nodes stood there.
    if (graph.kind === 'function') for (const name of names) if (model.graph.defines(name)) names.delete(name);
    if (graph.parent === undefined) refuseMissing(graph, names);
  }
}

function checkGraph(graph: Graph, missingIn: (body: Graph) => Missing): Set<string> {
  const missing = new Set<string>();
  const reads = (node: Node): Iterable<string> => {
    const bodies = bodiesOf(node);
    return bodies.length === 0 ? node.inputs : [...node.inputs, ...bodies.flatMap((body) => [...missingIn(body)])];
  };
  const done = new Set<Node>();
  let sorted = true;
  for (const node of graph.nodes) {
    for (const value of reads(node)) {
      if (value === '') continue;
      const producer = graph.producer(value);
      if (producer !== undefined) sorted &&= done.has(producer);
      else if (!graph.defines(value)) missing.add(value);
    }
    for (const value of node.outputs) refuseSecond(graph, node, value);
    done.add(node);
  }
  if (!sorted) refuseCircle(graph, reads);
  for (const { name } of graph.outputs) if (!graph.defines(name)) missing.add(name);
  return missing;
}

function refuseSecond(graph: Graph, node: Node, value: string): void {
  if (value === '') return;
  const producer = graph.producer(value);
  if (producer !== node) {
    const other = producer === undefined ? '' : ` and ${labelOf(producer)}`;
    throw broken(placeOf(graph), `${labelOf(node)}${other} both produce '${value}'`);
  }
  const kind = graph.isInput(value) ? 'an input' : graph.initializers.has(value) ? 'an initializer' : undefined;
  if (kind !== undefined)
    throw broken(placeOf(graph), `${labelOf(node)} produces '${value}', which is already ${kind}`);
}

function refuseCircle(graph: Graph, reads: (node: Node) => Iterable<string>): void {
  const { circle } = inOrder(graph.nodes, function* (node) {
    for (const value of reads(node)) {
      const producer = graph.producer(value);
      if (producer !== undefined) yield producer;
    }
  });
  if (circle === undefined) return;
  // Each node needs the next one, but data flows in the opposite direction.
  throw broken(placeOf(graph), `the nodes depend on each other in a cycle: ${around([...circle].reverse(), labelOf)}`);
}

function refuseMissing(root: Graph, missing: Missing): void {
  if (missing.size === 0) return;
  const facts = withBodies([root]).flatMap((graph) => factsOf(graph, missing));
  const more = facts.length - SHOWN;
  throw broken(placeOf(root), `${facts.slice(0, SHOWN).join('; ')}${more > 0 ? `; and ${more} more like these` : ''}`);
}

/** The nodes and outputs that refer to values that are not defined. */
function factsOf(graph: Graph, missing: Missing): string[] {
  const isMissing = (value: string): boolean => missing.has(value) && !isDefined(graph, value);
  const place = graph.parent === undefined ? '' : ` in ${placeOf(graph)}`;
  const readers = graph.nodes.flatMap((node) =>
    node.inputs.filter(isMissing).map((value) => `${labelOf(node)}${place} reads '${value}', which nothing produces`),
  );
  const given = graph.outputs.filter(({ name }) => isMissing(name));
  return [
    ...readers,
    ...given.map(({ name }) => `nothing produces the output '${name}'${place.replace(' in ', ' of ')}`),
  ];
}

function isDefined(graph: Graph, value: string): boolean {
  for (let one: Graph | undefined = graph; one !== undefined; one = one.parent) if (one.defines(value)) return true;
  return false;
}

/** Where a graph is; empty for the main graph. */
function placeOf(graph: Graph): string {
  const { parent } = graph;
  if (parent === undefined) return graph.kind === 'function' ? `function ${nameOf(graph)}` : '';
  const node = parent.nodes.find((one) => bodiesOf(one).includes(graph));
  return `a body of ${node === undefined ? 'a node' : labelOf(node)}`;
}

function nameOf({ name }: Graph): string {
  return `'${name}'`;
}

/** `a → b → a`. */
function around<T>(circle: readonly T[], name: (one: T) => string): string {
  const shown = circle.slice(0, SHOWN).map(name);
  const rest = circle.length > SHOWN ? [`${circle.length - SHOWN} more`] : [];
  return [...shown, ...rest, shown[0]].join(' → ');
}

function broken(where: string, fact: string): CompressError {
  return new CompressError('malformed', where, fact, {
    hint: 'No runtime can run such a model. Export it again; copy writes it unchanged.',
  });
}
