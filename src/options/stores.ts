/**
 * How pruned weights are stored. `bitmask`: a bit a weight and what is kept. `sparse`: ONNX's sparse tensors, positions
 * and values. `auto`: the smaller of the two. Each only where it is smaller than `dense`, the ordinary way.
 */
export type Store = 'bitmask' | 'sparse' | 'auto' | 'dense';

/** The ways to store, as an option takes them. */
export const STORES: readonly Store[] = ['bitmask', 'sparse', 'auto', 'dense'];
