import { type Bracket, SAMPLE_PIECE, type Within } from './bracket.ts';
import { CHUNK } from './magnitudeSteps.ts';
import type { Arena } from './simd/arena.ts';
import { countWithin } from './simd/magnitude.ts';
import type { Steps } from './steps.ts';

/** Most magnitudes that are collected of one part: 8 MiB. */
const MOST: number = 2 << 20;

/** How many magnitudes are collected of so many elements: several times what a bracket is expected to hold. */
export function roomFor(elements: number): number {
  return Math.min(elements, MOST, Math.max(4096, Math.ceil(elements / 16)));
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

/** As `within` in bracket.ts, over float32 [elements]. */
export function* withinSteps(arena: Arena, elements: number, bracket: Bracket): Steps<Within> {
  const room = roomFor(elements);
  const input = arena.allocate(Math.min(elements, CHUNK) * 4);
  const out = arena.allocate(4 * room);
  const all = { below: 0, zeros: 0, nans: 0, count: 0 };
  for (let at = 0; at < elements; at += CHUNK) {
    const length = Math.min(CHUNK, elements - at);
    yield { kind: 'read', bytes: arena.bytes(input, 4 * length), at: 4 * at };
    const used = Math.min(all.count, room);
    const found = countWithin(arena, input, length, bracket, out + 4 * used, room - used);
    all.below += found.below;
    all.zeros += found.zeros;
    all.nans += found.nans;
    all.count += found.count;
  }
  return { ...all, inside: arena.uint32s(out, Math.min(all.count, room)).slice() };
}
