import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import { inOrder } from './order.ts';

/** Which local functions of a model call which others, when this was created. A body counts as part of its function. */
export class Calls {
  /** For the main graph and every function that calls another: the functions it calls, and the number of call nodes. */
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

  /** The functions that a graph calls directly, and the number of call nodes for each. */
  of(caller: Graph): ReadonlyMap<Graph, number> {
    return this.#calls.get(caller) ?? new Map();
  }

  /** These graphs and every function they call, at any depth. */
  reached(from: readonly Graph[]): Set<Graph> {
    const found = new Set(from);
    // The set grows during the loop.
    for (const one of found) for (const callee of this.of(one).keys()) found.add(callee);
    return found;
  }

  /** These functions and everything that calls them, at any depth, including the main graph. */
  callersOf(callees: readonly Graph[]): Set<Graph> {
    const found = new Set(callees);
    for (const one of found) for (const caller of this.#callers.get(one) ?? []) found.add(caller);
    return found;
  }

  /** The functions, callees first. Functions that call themselves, directly or not, and their callers are left out. */
  calleesFirst(functions: readonly Graph[]): readonly Graph[] {
    return inOrder(functions, (one) => this.of(one).keys()).ordered;
  }

  /** A cycle of functions: each calls the next, and the last calls the first; undefined if there is none. */
  circle(functions: readonly Graph[]): readonly Graph[] | undefined {
    return inOrder(functions, (one) => this.of(one).keys()).circle;
  }
}
