import type { Graph } from './graph.ts';

/** These graphs and every body inside them, outer before inner. */
export function withBodies(graphs: readonly Graph[]): Graph[] {
  const all = [...graphs];
  // The list grows during the loop.
  for (const graph of all) for (const body of graph.bodies) all.push(body);
  return all;
}
