import { elementCount } from '../ir/dtype.ts';
import { constant, piecewise, type Tensor } from '../ir/tensor.ts';
import { type Loss, Losses } from '../kernels/loss.ts';
import { asItIs, paramsOf } from './encode.ts';
import type { EncodedNames } from './names.ts';
import { type Reals, realsOf } from './reals.ts';
import { type EncodedIntegers, type Granularity, integerScheme, scaleDims, spreadOf } from './scheme.ts';

/** Floats as 16-bit integers. */
interface Shorts {
  readonly encoded: EncodedIntegers & { readonly losses: Losses };
  /** Whether a channel's largest number leaves few bits for most of its others. */
  readonly coarse: boolean;
}

/**
 * Floats as 16-bit integers with scales, `w ≈ scale · q`: `scale = max|w| / 32767`, `q = round(w / scale)`. They are
 * computed in chunks when they are written; the tensor is read twice before that.
 * @param tensor - a float tensor
 * @returns undefined if the tensor holds NaN or infinity
 */
export async function encodeShorts(
  tensor: Tensor,
  granularity: Granularity,
  names: EncodedNames,
): Promise<Shorts | undefined> {
  const { dims } = tensor;
  const scheme = integerScheme('int16', granularity);
  const params = await paramsOf(asItIs(tensor), scheme);
  if (params === undefined) return undefined;
  const rounded = new Rounded(spreadOf(granularity, dims), params.scale);
  const reals = realsOf(tensor) as Reals;
  const losses = new Losses();
  let start = 0;
  for await (const chunk of reals()) {
    losses.add(rounded.measure(chunk, start));
    start += chunk.length;
  }
  const data = piecewise(names.data, 'int16', dims, async function* () {
    let at = 0;
    for await (const chunk of reals()) {
      yield new Uint8Array(rounded.integers(chunk, at).buffer);
      at += chunk.length;
    }
  });
  const encoded = {
    scheme,
    data: { ...data, from: { tensor, name: names.of } },
    scale: constant(names.scale, 'float32', scaleDims(granularity, dims), params.scale),
    losses,
  };
  return { encoded, coarse: rounded.isCoarse };
}

/** The largest integer. */
const LIMIT = 32767;
/** An integer below this has fewer than six bits. */
const FEW = 32;
/**
 * The step of a channel is large if it exceeds the median step this many times: quiet channels of large weights lose
 * nothing.
 */
const FAR = 16;

/** Rounds numbers to integers, a chunk at a time. */
class Rounded {
  readonly #scales: Float32Array;
  readonly #inner: number;
  /** For each channel, how many numbers are not 0, and how many of those have few bits. */
  readonly #counts: Uint32Array;
  readonly #few: Uint32Array;

  /** @param inner - neighbours that share a scale */
  constructor({ inner }: { readonly inner: number }, scales: Float32Array) {
    this.#scales = scales;
    this.#inner = inner;
    this.#counts = new Uint32Array(scales.length);
    this.#few = new Uint32Array(scales.length);
  }

  /**
   * Whether most numbers of a channel have few bits, in a channel whose step is far above the median, or the only one.
   */
  get isCoarse(): boolean {
    const scales = this.#scales;
    const median = scales.toSorted()[scales.length >> 1] as number;
    const isFar = (scale: number): boolean => scales.length === 1 || scale > FAR * median;
    return this.#few.some((few, line) => 2 * few > (this.#counts[line] as number) && isFar(scales[line] as number));
  }

  /** @param start - index in the tensor of the first number */
  integers(numbers: Float32Array, start: number): Int16Array {
    const out = new Int16Array(numbers.length);
    this.#each(numbers, start, (from, end, line) => {
      const scale = this.#scales[line] as number;
      for (let at = from; at < end; at++) out[at] = rounded((numbers[at] as number) / scale);
    });
    return out;
  }

  /** The rounding loss of numbers. */
  measure(numbers: Float32Array, start: number): Loss {
    let [signal, noise] = [0, 0];
    this.#each(numbers, start, (from, end, line) => {
      const scale = this.#scales[line] as number;
      for (let at = from; at < end; at++) {
        const value = numbers[at] as number;
        const q = rounded(value / scale);
        const lost = value - Math.fround(q * scale);
        signal += value * value;
        noise += lost * lost;
        if (value === 0) continue;
        this.#counts[line] = (this.#counts[line] as number) + 1;
        if (Math.abs(q) < FEW) this.#few[line] = (this.#few[line] as number) + 1;
      }
    });
    return { signal, noise };
  }

  /** Calls `run` for each run of numbers that share a scale. */
  #each(numbers: Float32Array, start: number, run: (from: number, end: number, line: number) => void): void {
    const inner = this.#inner;
    for (let at = 0; at < numbers.length; ) {
      const element = start + at;
      const line = Math.floor(element / inner);
      const end = Math.min(numbers.length, (line + 1) * inner - start);
      run(at, end, line % this.#scales.length);
      at = end;
    }
  }
}

function rounded(value: number): number {
  return Math.max(-LIMIT, Math.min(LIMIT, Math.round(value)));
}

/**
 * The least number of elements that share a scale if no output axis is known: scales for fewer would take too many
 * bytes.
 */
const LEAST_SHARING = 32;

/**
 * Which elements of a tensor share a scale: those of one output channel.
 * @param out - the output axis; undefined if there is none, as in a table: then each row of enough elements has a scale
 */
export function shortGranularity(dims: readonly number[], out: number | undefined): Granularity {
  if (out !== undefined) return { kind: 'channel', axis: out };
  const [rows = 1] = dims;
  return dims.length > 1 && elementCount(dims) >= rows * LEAST_SHARING
    ? { kind: 'channel', axis: 0 }
    : { kind: 'tensor' };
}
