import { type Bracket, bracketOf, SAMPLE_PIECE, samplePieces, sampleStarts } from './bracket.ts';
import { BracketLook, sampleInto } from './bracketSteps.ts';
import { CHUNK } from './magnitudeSteps.ts';
import type { BelowAndEqual } from './order.ts';
import type { Arena } from './simd/arena.ts';
import { ArenaOrder, countBelowAndEqual, nthSmallest } from './simd/order.ts';
import type { Span } from './slices.ts';
import type { Steps } from './steps.ts';

/** The result of a selection in one tensor. */
export interface ThresholdSelection {
  readonly zeros: number;
  readonly nans: number;
  /** Undefined if the sample was not sufficient; a radix selection then decides. */
  readonly found: Selected | undefined;
}

/** The threshold under which `count` elements lie. */
export interface Selected {
  /** Its magnitude: the bits of a float32 without the sign. */
  readonly bits: number;
  /** How many elements equal to it are among the `count`: the first ones. */
  readonly ties: number;
  /** The index after the last of these. */
  readonly end: number;
  /** Number of elements below it and equal to it, by part. */
  readonly parts: readonly BelowAndEqual[];
}

/**
 * The threshold that prunes exactly `count` of float32 [elements], as `selectThreshold` finds it. A sample gives two
 * magnitudes that almost surely enclose it; then one pass counts the elements below and collects those in between.
 * @param parts - of the elements; results are given for each
 * @param count - at least 1
 */
export function* selectSteps(
  arena: Arena,
  elements: number,
  parts: readonly Span[],
  count: number,
): Steps<ThresholdSelection> {
  const mark = arena.mark();
  const bracket = yield* sampled(arena, elements, count / elements);
  arena.release(mark);
  const look = new BracketLook(arena, elements, bracket);
  const { total, out, input } = look;
  const looks: { readonly below: number; readonly from: number; readonly count: number }[] = [];
  const chunks: { readonly at: number; readonly length: number; readonly from: number; readonly count: number }[] = [];
  for (const { start, length } of parts) {
    const before = { ...total };
    for (let at = start; at < start + length; at += CHUNK) {
      const chunk = Math.min(CHUNK, start + length - at);
      const from = total.count;
      chunks.push({ at, length: chunk, from, count: yield* look.chunk(at, chunk) });
    }
    looks.push({ below: total.below - before.below, from: before.count, count: total.count - before.count });
  }
  const { zeros, nans, count: inside } = total;
  const rank = count - total.below;
  if (rank < 1 || rank > inside || inside > look.room) return { zeros, nans, found: undefined };
  const bits = nthSmallest(arena, out, inside, rank, bracket);
  const beside = looks.map(({ below, from, count: held }): BelowAndEqual => {
    const { less, equal } = countBelowAndEqual(arena, out + 4 * from, held, bits);
    return { less: below + less, equal };
  });
  const ties = count - beside.reduce((sum, { less }) => sum + less, 0);
  let left = ties;
  for (const { at, length, from, count: held } of chunks) {
    const { equal } = countBelowAndEqual(arena, out + 4 * from, held, bits);
    if (equal >= left) {
      yield { kind: 'read', bytes: arena.bytes(input, 4 * length), at: 4 * at };
      arena.kernels.magnitudes(input, length);
      const end = at + nthEqual(arena, input, length, bits, left) + 1;
      return { zeros, nans, found: { bits, ties, end, parts: beside } };
    }
    left -= equal;
  }
  throw new RangeError('there are fewer elements at the threshold than counted');
}

/**
 * The index, in float32 [elements], of the `nth` element equal to a magnitude (bits without the sign), counted from 1.
 * @returns its index, or `elements` if there are fewer
 */
export function* tieSteps(arena: Arena, elements: number, bits: number, nth: number): Steps<number> {
  const input = arena.allocate(Math.min(elements, CHUNK) * 4);
  let left = nth;
  for (let at = 0; at < elements; at += CHUNK) {
    const length = Math.min(CHUNK, elements - at);
    yield { kind: 'read', bytes: arena.bytes(input, 4 * length), at: 4 * at };
    arena.kernels.magnitudes(input, length);
    const { equal } = countBelowAndEqual(arena, input, length, bits);
    if (equal >= left) return at + nthEqual(arena, input, length, bits, left);
    left -= equal;
  }
  return elements;
}

/** The index of the `nth` magnitude, in u32 [length] at offset `data`, that equals another one. */
function nthEqual(arena: Arena, data: number, length: number, bits: number, nth: number): number {
  const values = arena.uint32s(data, length);
  let index = -1;
  for (let left = nth; left > 0; left--) index = values.indexOf(bits, index + 1);
  return index;
}

/** A bracket that almost surely holds the magnitude below which the share `share` of all elements lies. */
function* sampled(arena: Arena, elements: number, share: number): Steps<Bracket> {
  const starts = sampleStarts(elements, samplePieces(elements));
  const length = Math.min(SAMPLE_PIECE, elements) * starts.length;
  const order = new ArenaOrder(arena, length);
  const held = yield* sampleInto(arena, elements, starts);
  return bracketOf(arena.uint32s(held, length), share, order);
}
