/** Operators that give the same elements in the same order other dims. */
export const RESHAPES: readonly string[] = ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'];
