/** Windows that a Conv looks at: a number for each spatial axis; pads first all begins, then all ends. */
export interface WindowShape {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

/** Vectors that are multiplied together: their outer products stay in the fastest memory. */
const ROWS = 32;

/** Sums of vectors and of their outer products. */
export class MomentSums {
  readonly size: number;
  count = 0;
  readonly #sums: Float64Array;
  readonly #products: Float64Array | undefined;
  readonly #rows: Float32Array;
  #filled = 0;

  /** @param what - `gram`: outer products too, `size²` numbers; `means`: sums alone */
  constructor(size: number, what: 'means' | 'gram') {
    this.size = size;
    this.#sums = new Float64Array(size);
    this.#products = what === 'gram' ? new Float64Array(size * size) : undefined;
    this.#rows = new Float32Array(ROWS * size);
  }

  /** A place for the next vector, to be filled before the next call. */
  next(): Float32Array {
    if (this.#filled === ROWS) this.#flush();
    const start = this.#filled * this.size;
    this.#filled++;
    this.count++;
    return this.#rows.subarray(start, start + this.size);
  }

  /** `E[x]` and `E[x·xᵀ]`. */
  moments(): { readonly count: number; readonly mean: Float64Array; readonly gram: Float64Array | undefined } {
    this.#flush();
    const { size, count } = this;
    const gram = this.#products;
    for (let i = 0; gram !== undefined && i < size; i++) {
      for (let j = i; j < size; j++) {
        const value = (gram[i * size + j] as number) / count;
        gram[i * size + j] = value;
        gram[j * size + i] = value;
      }
    }
    return { count, mean: this.#sums.map((one) => one / count), gram };
  }

  #flush(): void {
    const { size } = this;
    const rows = this.#rows;
    const products = this.#products;
    for (let i = 0; i < size; i++) {
      const out = i * size;
      for (let row = 0; row < this.#filled; row++) {
        const start = row * size;
        const x = rows[start + i] as number;
        // Half of what follows a ReLU.
        if (x === 0) continue;
        this.#sums[i] = (this.#sums[i] as number) + x;
        for (let j = i; products !== undefined && j < size; j++) {
          products[out + j] = (products[out + j] as number) + x * (rows[start + j] as number);
        }
      }
    }
    this.#filled = 0;
  }
}

/**
 * Visits every `step`-th window of an image `[N, C, …]` as a vector `[C × kernel]`, zeros where it reaches beyond.
 * @param dims - of the image: rows, channels and one or more spatial axes
 * @param first - which window to begin with, below `step`
 */
export function eachWindow(
  data: Float32Array,
  dims: readonly number[],
  windows: WindowShape,
  { step, first }: { readonly step: number; readonly first: number },
  next: () => Float32Array,
): void {
  const [rows = 0, channels = 0, ...image] = dims;
  const outs = outputDims(image, windows);
  const places = outs.reduce((all, one) => all * one, 1);
  const taps = windows.kernel.reduce((all, one) => all * one, 1);
  const pixels = image.reduce((all, one) => all * one, 1);
  const offsets = new Int32Array(taps);
  for (let at = first; at < rows * places; at += step) {
    const row = Math.floor(at / places);
    pixelsOf(at % places, outs, image, windows, offsets);
    const vector = next();
    for (let channel = 0; channel < channels; channel++) {
      const base = (row * channels + channel) * pixels;
      for (let tap = 0; tap < taps; tap++) {
        const offset = offsets[tap] as number;
        vector[channel * taps + tap] = offset < 0 ? 0 : (data[base + offset] as number);
      }
    }
  }
}

/** How many windows there are along each axis. */
export function outputDims(image: readonly number[], { kernel, strides, dilations, pads }: WindowShape): number[] {
  return image.map((size, axis) => {
    const around = (pads[axis] ?? 0) + (pads[axis + kernel.length] ?? 0);
    const covered = (dilations[axis] ?? 1) * ((kernel[axis] ?? 1) - 1) + 1;
    return Math.max(0, Math.floor((size + around - covered) / (strides[axis] ?? 1)) + 1);
  });
}

/** The pixel each tap of one window falls on; −1 beyond the image. */
function pixelsOf(
  place: number,
  outs: readonly number[],
  image: readonly number[],
  { kernel, strides, dilations, pads }: WindowShape,
  offsets: Int32Array,
): void {
  for (let tap = 0; tap < offsets.length; tap++) {
    let [rest, inner, scale, offset] = [place, tap, 1, 0];
    for (let axis = image.length - 1; axis >= 0; axis--) {
      const [out, width, size] = [outs[axis] ?? 1, kernel[axis] ?? 1, image[axis] ?? 1];
      const at = (rest % out) * (strides[axis] ?? 1) - (pads[axis] ?? 0) + (inner % width) * (dilations[axis] ?? 1);
      [rest, inner] = [Math.floor(rest / out), Math.floor(inner / width)];
      if (at < 0 || at >= size) offset = Number.NEGATIVE_INFINITY;
      else offset += at * scale;
      scale *= size;
    }
    offsets[tap] = offset < 0 ? -1 : offset;
  }
}

/** Visits every `step`-th vector along an axis of a tensor. */
export function eachVector(
  data: Float32Array,
  dims: readonly number[],
  axis: number,
  { step, first }: { readonly step: number; readonly first: number },
  next: () => Float32Array,
): void {
  const size = dims[axis] ?? 0;
  const inner = dims.slice(axis + 1).reduce((all, one) => all * one, 1);
  for (let at = first; at < data.length / size; at += step) {
    const start = Math.floor(at / inner) * size * inner + (at % inner);
    const vector = next();
    for (let index = 0; index < size; index++) vector[index] = data[start + index * inner] as number;
  }
}
