import { elementCount } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { storedWeights } from '../../layers/stored.ts';
import { floatTensors, smallestOf } from '../smallest.ts';
import type { Resolved } from './options.ts';

/** Fewer elements save less than the Cast takes. */
export const LEAST_ELEMENTS = 128;
/**
 * What the smallest tensors may make together of all floats of the model. Rounding takes the same part of each, so that a
 * small one costs as much of the signal as a large one, and saves nothing.
 */
const SMALLEST = 0.02;
/** Bytes of a float32. */
const WIDTH = 4;

/** The tensors that stay float32 where they are stored, because they are small. */
export class Small {
  readonly #least: number;
  readonly #smallest: ReadonlySet<Tensor>;
  /** Whether the smallest were looked for: nobody said which tensors are meant. */
  readonly chosen: boolean;

  constructor(model: Model, { minElements, include, opTypes }: Resolved) {
    this.#least = minElements ?? LEAST_ELEMENTS;
    this.chosen = minElements === undefined && include.length === 0 && opTypes === undefined;
    const floats = this.chosen ? [...floatTensors(model)] : [];
    // Those that have 16 bits already count as what they were: a second run finds the same ones.
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

  /** Why they stay, for so many of them. */
  note(count: number): string {
    const stay = count === 1 ? 'tensor stays' : 'tensors stay';
    const why = this.chosen
      ? 'small ones save nothing, but lose as much accuracy as large ones'
      : `the minimum is ${this.#least} elements`;
    return `${count} ${stay} float32: ${why}`;
  }
}
