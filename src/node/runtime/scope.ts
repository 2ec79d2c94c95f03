import type { Graph, ValueInfo } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, intsAttribute, isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';

/** A graph in its context: each call of a function has its own scope. */
export interface Scope {
  readonly graph: Graph;
  /** The node that calls the enclosing function, and the scope of that node. */
  readonly call: { readonly node: Node; readonly from: Scope } | undefined;
}

/** The origin of a value: a graph input, a weight, or the output of `node`. */
export interface ValueOrigin {
  readonly scope: Scope;
  readonly name: string;
  readonly node: Node | undefined;
}

/** Maximum depth of nested function calls. */
const MAX_SCOPE_DEPTH = 30;
/** Maximum number of steps from a weight to a value computed from it: dequantized, unpacked, transposed. */
const MOST_STEPS = 12;
/** Operators that keep dims, through which a weight stored as integers passes. */
const SHAPED_AS_INPUT = ['DequantizeLinear', 'Cast', 'Identity'];

/** Follows values through a model: into and out of functions, and through the bodies of If, Loop and Scan. */
export class Scopes {
  readonly main: Scope;
  readonly #functions: ReadonlyMap<string, Graph>;
  readonly #fixed = new Map<Graph, Map<Node | undefined, Set<string>>>();

  constructor({ graph, functions }: Model) {
    this.main = { graph, call: undefined };
    const key = ({ name, signature }: Graph): string =>
      `${signature?.domain ?? ''} ${name} ${signature?.overload ?? ''}`;
    this.#functions = new Map(functions.map((one) => [key(one), one]));
  }

  /** The function that a node calls, in the scope of this call. */
  callee(scope: Scope, node: Node): Scope | undefined {
    const graph = this.#functions.get(`${node.domain} ${node.opType} ${node.overload}`);
    if (graph === undefined || depthOf(scope) >= MAX_SCOPE_DEPTH) return undefined;
    return { graph, call: { node, from: scope } };
  }

  /** The scope of a graph inside a node. */
  inside({ call }: Scope, graph: Graph): Scope {
    return { graph, call };
  }

  /** The origin of a value that a node of the scope reads, through enclosing graphs and calls. */
  origin(scope: Scope, name: string): ValueOrigin | undefined {
    let graph: Graph | undefined = scope.graph;
    while (graph !== undefined && !graph.defines(name)) graph = graph.parent;
    if (graph === undefined) return undefined;
    const found = this.inside(scope, graph);
    const node = graph.producer(name);
    if (node !== undefined || scope.call === undefined || graph.kind !== 'function')
      return { scope: found, name, node };
    const given = scope.call.node.inputs[graph.inputs.findIndex((one) => one.name === name)] ?? '';
    return given === '' ? undefined : this.origin(scope.call.from, given);
  }

  /** The tensor of a value, if it is a constant of the model. */
  held(scope: Scope, name: string): Tensor | undefined {
    const place = this.origin(scope, name);
    return place?.scope.graph.constant(place.name)?.tensor;
  }

  /**
   * The dims of a value, if it is a constant, its type is stated, or it is computed from such a value by operators that
   * keep dims.
   */
  dims(scope: Scope, name: string, steps: number = MOST_STEPS): ValueInfo['dims'] {
    const place = this.origin(scope, name);
    if (place === undefined || steps === 0) return undefined;
    const { node, scope: at } = place;
    const known = at.graph.constant(place.name)?.tensor.dims ?? at.graph.typeOf(place.name)?.dims;
    if (known !== undefined || node === undefined) return known;
    if (isOp(node, 'Transpose')) {
      const dims = this.dims(at, node.inputs[0] ?? '', steps - 1);
      const order = intsAttribute(node, 'perm');
      return order === undefined ? dims?.toReversed() : dims && order.map((axis) => dims[axis]);
    }
    return SHAPED_AS_INPUT.some((one) => isOp(node, one)) ? this.dims(at, node.inputs[0] ?? '', steps - 1) : undefined;
  }

  /** Whether a value is a weight, or is computed only from weights in a few steps. */
  isFixed(scope: Scope, name: string, steps: number = MOST_STEPS): boolean {
    const place = this.origin(scope, name);
    if (place === undefined || steps === 0) return false;
    const { node, scope: at } = place;
    const known = this.#fixedIn(at);
    if (known.has(place.name)) return true;
    const { graph } = at;
    let fixed =
      graph.constant(place.name) !== undefined || graph.sparseInitializers.some((one) => one.name === place.name);
    if (!fixed && node !== undefined && bodiesOf(node).length === 0) {
      const inputs = node.inputs.filter((one) => one !== '');
      fixed = inputs.length > 0 && inputs.every((one) => this.isFixed(at, one, steps - 1));
    }
    if (fixed) known.add(place.name);
    return fixed;
  }

  /** Values of a graph that are known to be fixed, for one call. */
  #fixedIn({ graph, call }: Scope): Set<string> {
    const calls = this.#fixed.get(graph) ?? new Map<Node | undefined, Set<string>>();
    this.#fixed.set(graph, calls);
    const values = calls.get(call?.node) ?? new Set<string>();
    calls.set(call?.node, values);
    return values;
  }

  /** Every use of a value of the scope's graph. Without a node, the value is an output of that graph. */
  uses(scope: Scope, name: string): readonly { scope: Scope; node: Node | undefined; index: number }[] {
    return scope.graph.uses(name).map(({ graph, node, index }) => ({ scope: this.inside(scope, graph), node, index }));
  }

  /** The value in the enclosing graph for an output of a body or a function; undefined for the main graph. */
  outside(scope: Scope, index: number): { readonly scope: Scope; readonly name: string } | undefined {
    const { graph, call } = scope;
    if (graph.parent === undefined) {
      const name = graph.kind === 'function' ? call?.node.outputs[index] : undefined;
      return call === undefined || !name ? undefined : { scope: call.from, name };
    }
    const owner = graph.parent.nodes.find((one) => bodiesOf(one).includes(graph));
    // The first output of a Loop's body is its condition.
    const name = owner?.outputs[owner.opType === 'Loop' ? index - 1 : index];
    return name ? { scope: this.inside(scope, graph.parent), name } : undefined;
  }
}

function depthOf({ call }: Scope): number {
  let depth = 0;
  for (let one = call; one !== undefined; one = one.from.call) depth++;
  return depth;
}
