import type { Stored } from '../../bytes/stored.ts';
import { elementCount, isFloat } from '../../ir/dtype.ts';
import { derived, streamed, type Tensor } from '../../ir/tensor.ts';
import { type Bracket, joined, SAMPLE_PIECE, type Within } from '../../kernels/bracket.ts';
import { magnitudeKernelsFor, worthStreaming } from '../../kernels/choose.ts';
import { belowThreshold, type Magnitudes, type Threshold } from '../../kernels/magnitude.ts';
import { once } from '../../kernels/once.ts';
import { aligned, type FloatFormat, halves, toFloat32 } from '../../kernels/views.ts';

/** Sets `count` elements (default 1) from `index` on to +0. */
export type Zero = (index: number, count?: number) => void;

/** Calls `zero` for the elements to prune, the same ones each time. Changes nothing else in `bytes`. */
export type Choose = (zero: Zero, bytes: Uint8Array) => Promise<void> | void;

/** The result of pruning a weight: how many nonzero elements become zero, and the new tensor. */
export interface Pruning {
  readonly lost: number;
  readonly replacement: Tensor | undefined;
}

export const NOTHING: Pruning = { lost: 0, replacement: undefined };

/** The magnitudes of one weight, for a radix selection: in memory, or read in chunks from the file. */
export interface Measured {
  /** 16-bit digits of a magnitude: 2, or 4 for float64. */
  readonly width: number;
  /** Whether zeros rank first: false for scores. */
  readonly zerosFirst: boolean;
  /** Counts zeros of the weight, and NaN among its magnitudes or scores. */
  countSpecial(): Promise<{ readonly zeros: number; readonly nans: number }>;
  addDigits(histogram: Float64Array, prefix: readonly number[]): Promise<void>;
  /** How to read it once instead of once per digit; undefined for scores. */
  readonly surveying?: Surveying;
  /** Prunes everything below the threshold, and subtracts this weight's ties from it. */
  prune(threshold: Threshold): Promise<Pruning>;
}

/** What `survey` needs from a weight. */
export interface Surveying {
  /** Whether it is read in chunks from its file. */
  readonly inPieces: boolean;
  /** Magnitudes of float32, `SAMPLE_PIECE` consecutive ones from each start on. */
  sample(starts: readonly number[]): Promise<Uint32Array>;
  /** Reads all elements once, and counts for {@link Measured.countSpecial}; {@link Measured.prune} releases them. */
  survey(bracket: Bracket): Promise<readonly Within[]>;
  /**
   * For a large weight in a file: has one thread find the threshold below which exactly `count` elements lie. It
   * resolves to undefined if a sample was not enough.
   */
  readonly select?: ((count: number) => Promise<Threshold | undefined>) | undefined;
}

/**
 * @param memory - `keep` a weight that was read for the next question, or `forget` it: for one weight at a time, or for
 * a whole model
 */
export async function measure(tensor: Tensor, memory: 'keep' | 'forget'): Promise<Measured> {
  const { stored } = tensor;
  if (stored !== undefined && tensor.dtype === 'float32' && (await worthStreaming(elementCount(tensor.dims)))) {
    return measureStored(tensor, stored);
  }
  return measureLoaded(tensor, memory);
}

const magnitude = once(() => import('../../compute/magnitude.ts'));

async function measureStored(tensor: Tensor, stored: Stored): Promise<Measured> {
  const { StoredMagnitudes } = await magnitude();
  const magnitudes = new StoredMagnitudes(stored);
  return {
    width: magnitudes.width,
    zerosFirst: true,
    surveying: {
      inPieces: true,
      sample: (starts) => magnitudes.sample(starts),
      survey: (bracket) => magnitudes.survey(bracket),
      select: magnitudes.selectable ? (count) => magnitudes.select(count) : undefined,
    },
    countSpecial: () => magnitudes.countSpecial(),
    addDigits: (histogram, prefix) => magnitudes.addDigits(histogram, prefix),
    async prune(threshold) {
      const { lost, stream } = await magnitudes.prune(threshold);
      const { name, dtype, dims, extra } = tensor;
      return { lost, replacement: streamed(name, dtype, dims, stream, extra) };
    },
  };
}

function measureLoaded(tensor: Tensor, memory: 'keep' | 'forget'): Measured {
  const width = tensor.dtype === 'float64' ? 4 : 2;
  const elements = elementCount(tensor.dims);
  const kernels = magnitudeKernelsFor(width, elements);
  let kept: Magnitudes | undefined;
  let special: { readonly zeros: number; readonly nans: number } | undefined;
  const held = async (): Promise<Magnitudes> => {
    const found = kept ?? words(await tensor.load(), tensor);
    if (memory === 'keep') kept = found;
    return found;
  };
  return {
    width,
    zerosFirst: true,
    surveying: {
      inPieces: false,
      async sample(starts) {
        const { words: all } = await held();
        return joined(starts.map((start) => magnitudesAt(all, start)));
      },
      async survey(bracket) {
        const found = (await kernels).within(await held(), bracket);
        special = { zeros: found.zeros, nans: found.nans };
        return [found];
      },
    },
    countSpecial: async () => special ?? (await kernels).countSpecial(await held()),
    addDigits: async (histogram, prefix) => (await kernels).addDigits(histogram, await held(), prefix),
    async prune(threshold) {
      const mine = { ...threshold };
      const copy = { words: (await held()).words.slice(), width };
      kept = undefined;
      const lost = (await kernels).zeroInPlace(copy, threshold);
      return { lost, replacement: replaced(tensor, pruneBelow(tensor, mine)) };
    },
  };
}

/** The bits of one sampled run, without the signs. */
function magnitudesAt(words: Uint16Array, start: number): Uint32Array {
  const length = Math.min(SAMPLE_PIECE, words.length / 2 - start);
  return Uint32Array.from(
    { length },
    (_, index) =>
      ((words[2 * (start + index) + 1] as number) & 0x7fff) * 65536 + (words[2 * (start + index)] as number),
  );
}

/**
 * Zeroes the elements that `choose` selects.
 * @param bytes - of the tensor, where they are at hand
 */
export async function zeroChosen(tensor: Tensor, choose: Choose, bytes?: Uint8Array): Promise<Pruning> {
  const lost = await countLost(bytes ?? (await tensor.load()), tensor, choose);
  return { lost, replacement: replaced(tensor, (own) => choose(zeroing(own, tensor), own)) };
}

/** A function of its own: otherwise the closure that the replacement keeps would also keep the bytes alive. */
async function countLost(bytes: Uint8Array, tensor: Tensor, choose: Choose): Promise<number> {
  const zero = zeroTest(bytes, tensor);
  let lost = 0;
  await choose((index, count = 1) => {
    for (let at = index; at < index + count; at++) if (!zero(at)) lost++;
  }, bytes);
  return lost;
}

/** Counts zeros and NaN in a tensor, or a part of it. */
export async function countSpecial(
  bytes: Uint8Array,
  tensor: Tensor,
): Promise<{ readonly zeros: number; readonly nans: number }> {
  const held = words(bytes, tensor);
  return (await magnitudeKernelsFor(held.width, elementCount(tensor.dims))).countSpecial(held);
}

/** The tensor with elements zeroed, in a new copy each time it is read. */
export function replaced(tensor: Tensor, zero: (bytes: Uint8Array) => Promise<void> | void): Tensor {
  const compute = async (): Promise<Uint8Array> => {
    const bytes = new Uint8Array(await tensor.load());
    await zero(bytes);
    return bytes;
  };
  return derived(tensor.name, tensor.dtype, tensor.dims, compute, tensor.extra);
}

function pruneBelow(tensor: Tensor, threshold: Threshold): (bytes: Uint8Array) => Promise<void> {
  return async (bytes) => {
    // A copy each time: the count of ties is decremented, and a weight may be computed more than once.
    const mine = { ...threshold };
    const held = words(bytes, tensor);
    // float32 and float64 are zeroed in place; 16-bit floats are compared as a float32 copy.
    if (held.words.buffer !== bytes.buffer) belowThreshold(held, mine, zeroing(bytes, tensor));
    else (await magnitudeKernelsFor(held.width, held.words.length / held.width)).zeroInPlace(held, mine);
  };
}

/** The elements of a float tensor as 16-bit words; 16-bit floats are widened to float32, so that all compare alike. */
export function words(bytes: Uint8Array, tensor: Tensor): Magnitudes {
  if (tensor.dtype === 'float64') return { words: halves(aligned(bytes, 8)), width: 4 };
  if (!isFloat(tensor.dtype)) throw new RangeError(`${tensor.name} is ${tensor.dtype}`);
  const data = toFloat32(bytes, tensor.dtype satisfies FloatFormat);
  return { words: new Uint16Array(data.buffer, data.byteOffset, data.length * 2), width: 2 };
}

/** Zeroes elements of any float type in place. */
export function zeroing(bytes: Uint8Array, tensor: Tensor): Zero {
  const elements = elementsIn(bytes, tensor);
  return (index, count = 1) => {
    if (count === 1) elements[index] = 0;
    else elements.fill(0, index, index + count);
  };
}

/** Whether elements are zero, of either sign. */
export function zeroTest(bytes: Uint8Array, tensor: Tensor): (index: number) => boolean {
  const size = tensor.byteLength / elementCount(tensor.dims);
  const elements = elementsIn(aligned(bytes, size), tensor);
  if (elements instanceof Float64Array) return (index) => elements[index] === 0;
  const magnitude = size === 4 ? 0x7fffffff : 0x7fff;
  return (index) => ((elements[index] as number) & magnitude) === 0;
}

/** A view of float elements, of all or a piece of a tensor; bits that are 0 are +0. The bytes must be aligned. */
function elementsIn(bytes: Uint8Array, { byteLength, dims }: Tensor): Uint16Array | Uint32Array | Float64Array {
  const { buffer, byteOffset } = bytes;
  const size = byteLength / elementCount(dims);
  const count = bytes.byteLength / size;
  if (size === 8) return new Float64Array(buffer, byteOffset, count);
  return size === 4 ? new Uint32Array(buffer, byteOffset, count) : new Uint16Array(buffer, byteOffset, count);
}
