import type { Arena } from './simd/arena.ts';
import { MagnitudeHistogram, zeroBelow } from './simd/magnitude.ts';
import type { Steps } from './steps.ts';

/** Elements in the arena at a time: 1 MiB of float32. */
export const CHUNK: number = 1 << 18;

/** Counts in the smallest sufficient type, because they are sent between threads and kept for every weight. */
export type Counts = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** The first digit of a radix selection over float32 magnitudes, with other results of the same pass. */
export interface TopDigits {
  /** Elements by the upper 16 bits of their magnitude, [32768]. */
  readonly counts: Counts;
  readonly zeros: number;
  readonly nans: number;
}

/** The result of applying a threshold: elements newly zeroed, and ties used. */
export interface Pruned {
  readonly lost: number;
  readonly used: number;
}

/** Counts the upper 16 bits of the magnitudes of float32 [elements]. */
export function* topSteps(arena: Arena, elements: number): Steps<TopDigits> {
  const input = arena.allocate(Math.min(elements, CHUNK) * 4);
  const histogram = new MagnitudeHistogram(arena);
  let zeros = 0;
  let nans = 0;
  for (let at = 0; at < elements; at += CHUNK) {
    const count = Math.min(CHUNK, elements - at);
    yield { kind: 'read', bytes: arena.bytes(input, 4 * count), at: 4 * at };
    const counted = histogram.addTop(input, count);
    zeros += counted.zeros;
    nans += counted.nans;
  }
  return { counts: narrow(histogram.takeTop()), zeros, nans };
}

/** Counts the lower 16 bits of the elements whose upper 16 bits are `top`: [65536]. */
export function* lowSteps(arena: Arena, elements: number, top: number): Steps<Counts> {
  const input = arena.allocate(Math.min(elements, CHUNK) * 4);
  const histogram = new MagnitudeHistogram(arena);
  for (let at = 0; at < elements; at += CHUNK) {
    const count = Math.min(CHUNK, elements - at);
    yield { kind: 'read', bytes: arena.bytes(input, 4 * count), at: 4 * at };
    histogram.addLow(input, count, top);
  }
  return narrow(histogram.takeLow());
}

/**
 * Writes the elements, with those below `threshold` and the first `ties` equal ones set to zero.
 * @param threshold - the bits of a float32 without the sign
 */
export function* zeroSteps(arena: Arena, elements: number, threshold: number, ties: number): Steps<Pruned> {
  const held = arena.allocate(Math.min(elements, CHUNK) * 4);
  let left = ties;
  let lost = 0;
  for (let at = 0; at < elements; at += CHUNK) {
    const count = Math.min(CHUNK, elements - at);
    const bytes = arena.bytes(held, 4 * count);
    yield { kind: 'read', bytes, at: 4 * at };
    const zeroed = zeroBelow(arena, held, count, threshold, left);
    left = zeroed.ties;
    lost += zeroed.lost;
    yield { kind: 'write', bytes, at: 4 * at };
  }
  return { lost, used: ties - left };
}

/** Copies bytes. */
export function* copySteps(arena: Arena, byteLength: number): Steps<void> {
  const held = arena.allocate(Math.min(byteLength, 4 * CHUNK));
  for (let at = 0; at < byteLength; at += 4 * CHUNK) {
    const bytes = arena.bytes(held, Math.min(4 * CHUNK, byteLength - at));
    yield { kind: 'read', bytes, at };
    yield { kind: 'write', bytes, at };
  }
}

function narrow(counts: Float64Array): Counts {
  const largest = counts.reduce((most, one) => Math.max(most, one), 0);
  if (largest < 2 ** 8) return Uint8Array.from(counts);
  if (largest < 2 ** 16) return Uint16Array.from(counts);
  return largest < 2 ** 32 ? Uint32Array.from(counts) : counts;
}
