/**
 * How pruned weights are stored. `bitmask`: one bit per weight, and the kept values. `sparse`: ONNX's sparse tensors,
 * with positions and values. `auto`: the smaller of the two. Each is used only if it is smaller than `dense`, the
 * ordinary form.
 */
export type Store = 'bitmask' | 'sparse' | 'auto' | 'dense';

/** The ways to store weights, as values of an option. */
export const STORES: readonly Store[] = ['bitmask', 'sparse', 'auto', 'dense'];
