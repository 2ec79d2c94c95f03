import type { Bracket } from '../bracket.ts';
import type { BelowAndEqual, Order } from '../order.ts';
import type { Arena } from './arena.ts';
import { RESULT } from './kernels.ts';

/** {@link Order} for values in an arena. */
export class ArenaOrder implements Order {
  readonly #arena: Arena;
  readonly #room: number;
  readonly #held: number;

  /** @param room - maximum number of values for `between` */
  constructor(arena: Arena, room: number) {
    this.#arena = arena;
    this.#room = room;
    this.#held = arena.allocate(4 * room);
  }

  between(values: Uint32Array, low: number, high: number): { readonly below: number; readonly inside: Uint32Array } {
    this.#arena.kernels.countWithin(values.byteOffset, values.length, low, high, this.#held, this.#room);
    const [below = 0, , , count = 0] = this.#arena.uint32s(RESULT, 4);
    return { below, inside: this.#arena.uint32s(this.#held, count) };
  }

  less(values: Uint32Array, bits: number): number {
    return countBelowAndEqual(this.#arena, values.byteOffset, values.length, bits).less;
  }

  nthSmallest(values: Uint32Array, rank: number): number {
    return nthSmallest(this.#arena, values.byteOffset, values.length, rank, { low: 0, high: 0x7fffffff });
  }
}

/**
 * The `rank`-th smallest of u32 [length] at offset `data`, counted from 1. It bisects, so the number of passes is at
 * most the number of bits of the bracket, whatever the order.
 * @param bracket - known to contain it
 */
export function nthSmallest(arena: Arena, data: number, length: number, rank: number, bracket: Bracket): number {
  let { low, high } = bracket;
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    const { less, equal } = countBelowAndEqual(arena, data, length, middle);
    if (less + equal >= rank) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Number of magnitudes, in u32 [length] at offset `data`, below one and equal to it. */
export function countBelowAndEqual(arena: Arena, data: number, length: number, bits: number): BelowAndEqual {
  arena.kernels.countBeside(data, length, bits);
  const [less = 0, equal = 0] = arena.uint32s(RESULT, 2);
  return { less, equal };
}
