import { CompressError } from '../../errors.ts';
import type { SkipReason } from '../../layers/skip.ts';

/**
 * An axis whose indices may be removed: the channel of each index. Two axes that hold the same channel lose it
 * together; an axis of a flattened image names each channel once for every pixel.
 */
export type Axis = Int32Array;

/** Why a channel has to stay. */
export interface Pin {
  readonly reason: SkipReason;
  readonly detail: string;
}

/** Indices of all axes together: 128 MiB of bookkeeping. A model of 32 transformer layers has some five million. */
const MAX_INDICES = 2 ** 24;

/**
 * The channels of a graph, as a disjoint-set forest: coupled channels become one, pinned channels stay.
 * @see https://arxiv.org/abs/2301.12900 Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023
 */
export class Space {
  /** Every axis made so far. */
  readonly axes: Set<Axis> = new Set();
  #parents: Int32Array = new Int32Array(1024);
  #count = 0;
  readonly #pins = new Map<number, Pin>();

  /** A new axis with channels of its own. */
  fresh(size: number): Axis {
    const start = this.#count;
    this.#count += size;
    if (this.#count > MAX_INDICES) {
      throw new CompressError(
        'limit',
        'graph',
        `its weights have more than ${MAX_INDICES} indices on all axes together`,
      );
    }
    if (this.#count > this.#parents.length) {
      const larger = new Int32Array(Math.max(this.#count, this.#parents.length * 2));
      larger.set(this.#parents);
      this.#parents = larger;
    }
    const axis = new Int32Array(size);
    for (let index = 0; index < size; index++) {
      axis[index] = start + index;
      this.#parents[start + index] = start + index;
    }
    return this.note(axis);
  }

  /** Registers an axis of existing channels: at least one of its indices has to stay. */
  note(axis: Axis): Axis {
    this.axes.add(axis);
    return axis;
  }

  /** The representative of all channels that are coupled to this one. */
  find(channel: number): number {
    const parents = this.#parents;
    let root = channel;
    while (parents[root] !== root) root = parents[root] as number;
    for (let at = channel; at !== root; ) {
      const next = parents[at] as number;
      parents[at] = root;
      at = next;
    }
    return root;
  }

  /** Couples two channels. */
  unite(a: number, b: number): void {
    const [one, two] = [this.find(a), this.find(b)];
    if (one === two) return;
    // The lower number represents both, so that channels keep the order of the first weight.
    const [low, high] = one < two ? [one, two] : [two, one];
    this.#parents[high] = low;
    const pin = this.#pins.get(high);
    if (pin !== undefined && !this.#pins.has(low)) this.#pins.set(low, pin);
    this.#pins.delete(high);
  }

  /** Couples two axes index by index. If one is unknown or the lengths differ, both are pinned. */
  couple(a: Axis | undefined, b: Axis | undefined, pin: Pin): void {
    if (a === b) return;
    if (a !== undefined && b !== undefined && a.length === b.length) {
      for (let index = 0; index < a.length; index++) this.unite(a[index] as number, b[index] as number);
      return;
    }
    this.pin(a, pin);
    this.pin(b, pin);
  }

  /** Pins all channels of an axis. The first reason is kept. */
  pin(axis: Axis | undefined, pin: Pin): void {
    for (const channel of axis ?? []) this.pinOne(channel, pin);
  }

  pinOne(channel: number, pin: Pin): void {
    const root = this.find(channel);
    if (!this.#pins.has(root)) this.#pins.set(root, pin);
  }

  /** Why a channel has to stay; undefined if it may go. */
  pinOf(channel: number): Pin | undefined {
    return this.#pins.get(this.find(channel));
  }

  /** The reason that keeps every channel of an axis; undefined if one may go. */
  pinOfAll(axis: Axis): Pin | undefined {
    let first: Pin | undefined;
    for (const channel of axis) {
      const pin = this.pinOf(channel);
      if (pin === undefined) return undefined;
      first ??= pin;
    }
    return first;
  }
}
