/** Elements summed at once. After each block, one check of the sum shows whether all of them were finite. */
const BLOCK = 4096;

/** The share of the new batch in a moving average, torch's `averaging_constant`. */
const AVERAGING = Math.fround(0.01);

/**
 * The result of a first pass over an activation, batch by batch: the extent and number of its values. Infinities and
 * NaN are only counted.
 */
export class Extent {
  /** Finite elements. */
  count = 0;
  /** Elements that are infinite or NaN. */
  nonFinite = 0;
  /** Elements that are zero, of either sign. */
  zeros = 0;
  /** Smallest finite element; +∞ if there is none yet. */
  min: number = Number.POSITIVE_INFINITY;
  max: number = Number.NEGATIVE_INFINITY;
  /** Σ x² over the finite elements. */
  sumSquares = 0;
  /**
   * Moving averages of the batches' smallest and largest elements: they start with the first batch, then `average +
   * 0.01·(batch − average)`, in float32.
   * @see https://docs.pytorch.org/docs/stable/generated/torch.ao.quantization.observer.MovingAverageMinMaxObserver.html
   */
  averageMin: number = Number.NaN;
  averageMax: number = Number.NaN;
  #low = 0;
  #high = 0;

  /** Adds one batch, of any length. */
  add(data: Float32Array): void {
    this.#low = Number.POSITIVE_INFINITY;
    this.#high = Number.NEGATIVE_INFINITY;
    for (let start = 0; start < data.length; start += BLOCK) this.#addBlock(data, start);
    const [low, high] = [this.#low, this.#high];
    if (low > high) return;
    this.averageMin = this.min > this.max ? low : moved(this.averageMin, low);
    this.averageMax = this.min > this.max ? high : moved(this.averageMax, high);
    if (low < this.min) this.min = low;
    if (high > this.max) this.max = high;
  }

  /** Mean of x²; 0 if there are no elements. */
  get power(): number {
    return this.count === 0 ? 0 : this.sumSquares / this.count;
  }

  #addBlock(data: Float32Array, start: number): void {
    const end = Math.min(start + BLOCK, data.length);
    let low = this.#low;
    let high = this.#high;
    let zeros = 0;
    let squares = 0;
    for (let index = start; index < end; index++) {
      const value = data[index] as number;
      if (value < low) low = value;
      if (value > high) high = value;
      // A sum instead of a branch: after a Relu, zeros are unpredictable.
      zeros += +(value === 0);
      squares += value * value;
    }
    // The square of a float32 is far from the largest double: the sum is finite exactly where all elements are.
    if (!Number.isFinite(squares)) {
      this.#addBlockSlowly(data, start, end);
      return;
    }
    this.#low = low;
    this.#high = high;
    this.zeros += zeros;
    this.sumSquares += squares;
    this.count += end - start;
  }

  #addBlockSlowly(data: Float32Array, start: number, end: number): void {
    for (let index = start; index < end; index++) {
      const value = data[index] as number;
      if (!Number.isFinite(value)) {
        this.nonFinite++;
        continue;
      }
      if (value < this.#low) this.#low = value;
      if (value > this.#high) this.#high = value;
      if (value === 0) this.zeros++;
      this.sumSquares += value * value;
      this.count++;
    }
  }
}

function moved(average: number, batch: number): number {
  return Math.fround(average + Math.fround(AVERAGING * Math.fround(batch - average)));
}
