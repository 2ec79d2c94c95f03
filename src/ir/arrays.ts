import type { Tensor } from './tensor.ts';

/** An array of a file: its elements are read when asked for, little-endian and row-major. */
export type NamedArray = Pick<Tensor, 'dtype' | 'dims' | 'load'>;

/** Arrays by name, from the room that reads data files to the passes: masks or scores of weights. */
export interface NamedArrays {
  /** What errors call the file, e.g. `masks.npz`. */
  readonly label: string;
  readonly arrays: ReadonlyMap<string, NamedArray>;
}
