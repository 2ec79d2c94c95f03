import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import { inOrder } from './order.ts';

/**
 * Which local function of a model calls which, at the time this was made. A body counts as part of the function it is
 * in.
 */
export class Calls {
  /** Of the main graph and of every function that calls one: the functions it calls, and at how many nodes. */
  readonly #calls = new Map<Graph, Map<Graph, number>>();
  readonly #callers = new Map<Graph, Set<Graph>>();

  constructor(model: Model) {
    if (model.functions.length === 0) return;
    for (const { graph, node } of model.nodes()) {
      const callee = model.callee(node);
      if (callee === undefined) continue;
      const { root } = graph;
      const calls = this.#calls.get(root) ?? new Map<Graph, number>();
      this.#calls.set(root, calls.set(callee, (calls.get(callee) ?? 0) + 1));
      this.#callers.set(callee, (this.#callers.get(callee) ?? new Set()).add(root));
    }
  }

  /** The functions that a graph itself calls, and at how many nodes. */
  of(caller: Graph): ReadonlyMap<Graph, number> {
    return this.#calls.get(caller) ?? new Map();
  }

  /** These graphs and every function they call, at any depth. */
  reached(from: readonly Graph[]): Set<Graph> {
    const found = new Set(from);
    // A set that grows is walked to its end.
    for (const one of found) for (const callee of this.of(one).keys()) found.add(callee);
    return found;
  }

  /** These functions and everything that calls them, at any depth; the main graph where it does. */
  callersOf(callees: readonly Graph[]): Set<Graph> {
    const found = new Set(callees);
    for (const one of found) for (const caller of this.#callers.get(one) ?? []) found.add(caller);
    return found;
  }

  /**
   * The functions, each after those it calls; without those that call themselves at any distance, and their callers.
   */
  calleesFirst(functions: readonly Graph[]): readonly Graph[] {
    return inOrder(functions, (one) => this.of(one).keys()).ordered;
  }

  /** Functions that call each other, each the next and the last the first; undefined if there are none. */
  circle(functions: readonly Graph[]): readonly Graph[] | undefined {
    return inOrder(functions, (one) => this.of(one).keys()).circle;
  }
}
