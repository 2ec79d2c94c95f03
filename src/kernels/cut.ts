/** Capacities are integers, so that sums are exact and the search terminates; this number stands for 1. */
const UNIT = 1000;
/** Capacity of an edge that cannot be cut. */
const NEVER: number = 2 ** 50;

/**
 * Chooses or leaves each of several items at the lowest total cost: costs of single choices, and costs of pairs that
 * are chosen differently. This is a minimum cut of a network.
 *
 * @see https://en.wikipedia.org/wiki/Max-flow_min-cut_theorem
 */
export class Cut {
  /** Edges in pairs: each is followed by its reverse. */
  readonly #ends: number[] = [];
  readonly #room: number[] = [];
  /** Edges that leave each node. Node 0 is the source, on the side of the chosen items, and node 1 the sink. */
  readonly #edges: number[][] = [[], []];

  /**
   * @param chosen - cost of choosing it
   * @param left - cost of leaving it
   */
  add(chosen = 0, left = 0): number {
    const one = this.#edges.push([]) - 1;
    if (left > 0) this.#edge(0, one, left * UNIT);
    if (chosen > 0) this.#edge(one, 1, chosen * UNIT);
    return one;
  }

  /**
   * Adds a cost for choosing `one` but not `other`. Without a cost, this combination is impossible.
   * @param other - undefined for an item that is never chosen
   */
  pair(one: number, other: number | undefined, cost?: number): void {
    this.#edge(one, other ?? 1, cost === undefined ? NEVER : cost * UNIT);
  }

  /** The chosen items; among cuts of the same cost the one that chooses fewer. */
  solve(): (one: number) => boolean {
    for (;;) {
      const { levels } = this.#reach();
      if (levels[1] === undefined) return (one) => levels[one] !== undefined;
      const next = new Array<number>(this.#edges.length).fill(0);
      while (this.#push(levels, next)) {}
    }
  }

  #edge(from: number, to: number, room: number): void {
    for (const [a, b, own] of [
      [from, to, Math.round(room)],
      [to, from, 0],
    ] as const) {
      (this.#edges[a] as number[]).push(this.#ends.length);
      this.#ends.push(b);
      this.#room.push(own);
    }
  }

  /** The level of each reachable node: its distance in edges with remaining capacity. */
  #reach(): { readonly levels: readonly (number | undefined)[] } {
    const levels = new Array<number | undefined>(this.#edges.length);
    levels[0] = 0;
    const open = [0];
    for (let at = 0; at < open.length; at++) {
      const from = open[at] as number;
      for (const edge of this.#edges[from] as number[]) {
        const to = this.#ends[edge] as number;
        if ((this.#room[edge] as number) === 0 || levels[to] !== undefined) continue;
        levels[to] = (levels[from] as number) + 1;
        open.push(to);
      }
    }
    return { levels };
  }

  /** Fills one path from source to sink; false if there is none. */
  #push(levels: readonly (number | undefined)[], next: number[]): boolean {
    const way: number[] = [];
    let at = 0;
    while (at !== 1) {
      const edges = this.#edges[at] as number[];
      const edge = edges[next[at] as number];
      if (edge === undefined) {
        const back = way.pop();
        if (back === undefined) return false;
        at = this.#ends[back ^ 1] as number;
        next[at] = (next[at] as number) + 1;
        continue;
      }
      const to = this.#ends[edge] as number;
      if ((this.#room[edge] as number) > 0 && levels[to] === (levels[at] as number) + 1) {
        way.push(edge);
        at = to;
      } else {
        next[at] = (next[at] as number) + 1;
      }
    }
    const least = Math.min(...way.map((edge) => this.#room[edge] as number));
    for (const edge of way) {
      this.#room[edge] = (this.#room[edge] as number) - least;
      this.#room[edge ^ 1] = (this.#room[edge ^ 1] as number) + least;
    }
    return true;
  }
}
