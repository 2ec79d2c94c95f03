/** Operators that change only the dims, not the elements or their order. */
export const RESHAPES: readonly string[] = ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'];
