import type { Tensor } from './tensor.ts';

/** An array of a file. Its elements are read on demand, little-endian and row-major. */
export type NamedArray = Pick<Tensor, 'dtype' | 'dims' | 'load'>;

/** Arrays by name: masks or scores of weights. `node` reads them from data files, passes use them. */
export interface NamedArrays {
  /** What errors call the file, e.g. `masks.npz`. */
  readonly label: string;
  readonly arrays: ReadonlyMap<string, NamedArray>;
}
