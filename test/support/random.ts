import { elementCount } from '../../src/ir/dtype.ts';

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Float32 elements of a tensor of these dims, uniform in [low, high). */
export function randomFloats(dims: readonly number[], seed = 1, low = -1, high = 1): Float32Array {
  const next = seeded(seed);
  return Float32Array.from({ length: elementCount(dims) }, () => low + (high - low) * next());
}
