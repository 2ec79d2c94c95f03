import { type Bracket, FEW_MAGNITUDES, SAMPLE_PIECE, type Within } from './bracket.ts';
import { CHUNK } from './magnitudeSteps.ts';
import type { Arena } from './simd/arena.ts';
import { countWithin } from './simd/magnitude.ts';
import type { Steps } from './steps.ts';

/** Maximum number of magnitudes collected from one part: 8 MiB. */
const MOST: number = 2 << 20;

/**
 * Maximum number of magnitudes to collect from this many elements: {@link FEW_MAGNITUDES}, or several times what a
 * bracket is expected to contain. That can be a quarter of a medium weight whose rows have different scales.
 */
function roomFor(elements: number): number {
  return Math.min(elements, MOST, Math.max(FEW_MAGNITUDES, Math.ceil(elements / 2)));
}

/** Magnitudes of float32 elements, {@link SAMPLE_PIECE} from each start on (fewer at the end of the tensor). */
export function* sampleSteps(arena: Arena, elements: number, starts: readonly number[]): Steps<Uint32Array> {
  const held = yield* sampleInto(arena, elements, starts);
  return arena.uint32s(held, Math.min(SAMPLE_PIECE, elements) * starts.length).slice();
}

/** The same, kept in the arena; returns their offset. */
export function* sampleInto(arena: Arena, elements: number, starts: readonly number[]): Steps<number> {
  const length = Math.min(SAMPLE_PIECE, elements);
  const held = arena.allocate(4 * length * starts.length);
  for (const [index, start] of starts.entries()) {
    yield { kind: 'read', bytes: arena.bytes(held + 4 * length * index, 4 * length), at: 4 * start };
  }
  arena.kernels.magnitudes(held, length * starts.length);
  return held;
}

/** Scans float32 elements, a chunk at a time: counts those below a bracket and collects those inside. */
export class BracketLook {
  /** Offset in the arena of the chunk that was scanned last. */
  readonly input: number;
  /** Offset and capacity of the elements inside, in order. */
  readonly out: number;
  readonly room: number;
  /** Totals over everything scanned. */
  readonly total = { below: 0, zeros: 0, nans: 0, count: 0 };
  readonly #arena: Arena;
  readonly #bracket: Bracket;

  /** @param elements - total number */
  constructor(arena: Arena, elements: number, bracket: Bracket) {
    this.#arena = arena;
    this.#bracket = bracket;
    this.room = roomFor(elements);
    this.input = arena.allocate(Math.min(elements, CHUNK) * 4);
    this.out = arena.allocate(4 * this.room);
  }

  /** Scans `length` elements from element `at` on, at most a chunk; returns the number of those inside. */
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
