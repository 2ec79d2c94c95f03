import { type Bracket, FEW_MAGNITUDES, SAMPLE_PIECE, type Within } from './bracket.ts';
import { CHUNK } from './magnitudeSteps.ts';
import type { Arena } from './simd/arena.ts';
import { countWithin } from './simd/magnitude.ts';
import type { Steps } from './steps.ts';

/** Most magnitudes that are collected of one part: 8 MiB. */
const MOST: number = 2 << 20;

/**
 * How many magnitudes are collected of so many elements: all of {@link FEW_MAGNITUDES}, several times what a bracket is
 * expected to hold, which is up to a quarter of a weight of middle size whose rows have scales of their own.
 */
function roomFor(elements: number): number {
  return Math.min(elements, MOST, Math.max(FEW_MAGNITUDES, Math.ceil(elements / 2)));
}

/** Magnitudes of float32 elements, {@link SAMPLE_PIECE} from each start on (fewer where there are no more). */
export function* sampleSteps(arena: Arena, elements: number, starts: readonly number[]): Steps<Uint32Array> {
  const held = yield* sampleInto(arena, elements, starts);
  return arena.uint32s(held, Math.min(SAMPLE_PIECE, elements) * starts.length).slice();
}

/** The same in the arena; gives their offset. */
export function* sampleInto(arena: Arena, elements: number, starts: readonly number[]): Steps<number> {
  const length = Math.min(SAMPLE_PIECE, elements);
  const held = arena.allocate(4 * length * starts.length);
  for (const [index, start] of starts.entries()) {
    yield { kind: 'read', bytes: arena.bytes(held + 4 * length * index, 4 * length), at: 4 * start };
  }
  arena.kernels.magnitudes(held, length * starts.length);
  return held;
}

/** Looks at float32 elements, a chunk at a time, for what lies below a bracket and what lies inside. */
export class BracketLook {
  /** Where the chunk that was looked at last lies in the arena. */
  readonly input: number;
  /** Where what lies inside is collected, in order, and how many there is room for. */
  readonly out: number;
  readonly room: number;
  /** Of all that was looked at. */
  readonly total = { below: 0, zeros: 0, nans: 0, count: 0 };
  readonly #arena: Arena;
  readonly #bracket: Bracket;

  /** @param elements - as many as there are */
  constructor(arena: Arena, elements: number, bracket: Bracket) {
    this.#arena = arena;
    this.#bracket = bracket;
    this.room = roomFor(elements);
    this.input = arena.allocate(Math.min(elements, CHUNK) * 4);
    this.out = arena.allocate(4 * this.room);
  }

  /** Looks at `length` elements from element `at` on, at most a chunk; gives how many of them lie inside. */
  *chunk(at: number, length: number): Steps<number> {
    const { total, room } = this;
    yield { kind: 'read', bytes: this.#arena.bytes(this.input, 4 * length), at: 4 * at };
    const used = Math.min(total.count, room);
    const found = countWithin(this.#arena, this.input, length, this.#bracket, this.out + 4 * used, room - used);
    total.below += found.below;
    total.zeros += found.zeros;
    total.nans += found.nans;
    total.count += found.count;
    return found.count;
  }
}

/** As `within` in bracket.ts, over float32 [elements]. */
export function* withinSteps(arena: Arena, elements: number, bracket: Bracket): Steps<Within> {
  const look = new BracketLook(arena, elements, bracket);
  for (let at = 0; at < elements; at += CHUNK) yield* look.chunk(at, Math.min(CHUNK, elements - at));
  const { total, out, room } = look;
  return { ...total, inside: arena.uint32s(out, Math.min(total.count, room)).slice() };
}
