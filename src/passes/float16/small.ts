import { elementCount } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { storedWeights } from '../../layers/stored.ts';
import { floatTensors, smallestOf } from '../smallest.ts';
import type { Resolved } from './options.ts';

/** With fewer elements, the Cast takes more room than they save. */
export const LEAST_ELEMENTS = 128;
/**
 * The share of the smallest tensors in all floats of the model. Rounding has the same relative error in each, so a
 * small one costs as much of the signal as a large one, and saves nothing.
 */
const SMALLEST = 0.02;
/** Bytes of a float32. */
const WIDTH = 4;

/** The tensors that stay float32 where they are stored, because they are small. */
export class Small {
  readonly #least: number;
  readonly #smallest: ReadonlySet<Tensor>;
  /** Whether the smallest tensors were chosen here, because the user did not select any. */
  readonly chosen: boolean;

  constructor(model: Model, { minElements, include, opTypes }: Resolved) {
    this.#least = minElements ?? LEAST_ELEMENTS;
    this.chosen = minElements === undefined && include.length === 0 && opTypes === undefined;
    const floats = this.chosen ? [...floatTensors(model)] : [];
    // Tensors already in 16 bits count as float32, so that a second run finds the same ones.
    const shorts = this.chosen ? [...storedWeights(model).values()].map(({ tensor }) => tensor) : [];
    const all = [...floats, ...shorts.filter(({ dtype }) => dtype === 'int16')].reduce(
      (sum, { dims }) => sum + WIDTH * elementCount(dims),
      0,
    );
    const wide = floats.filter(({ dtype }) => dtype === 'float32');
    this.#smallest = smallestOf(SMALLEST * all, wide);
  }

  has(tensor: Tensor): boolean {
    return elementCount(tensor.dims) < this.#least || this.#smallest.has(tensor);
  }

  /** Why `count` tensors stay. */
  note(count: number): string {
    const stay = count === 1 ? 'tensor stays' : 'tensors stay';
    const why = this.chosen
      ? 'small ones save nothing, but lose as much accuracy as large ones'
      : `the minimum is ${this.#least} elements`;
    return `${count} ${stay} float32: ${why}`;
  }
}
