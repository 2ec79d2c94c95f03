import { CompressError } from '../../errors.ts';
import { type DType, elementCount, isFloat } from '../../ir/dtype.ts';
import type { ExtendedReal } from '../../kernels/real.ts';
import { toFloat32 } from '../../kernels/views.ts';
import type { FeedTensor } from '../data/types.ts';
import type { Classes, OutputKind } from './outputs/kinds.ts';

/** How close one output of two models is, over all samples. */
export interface OutputFigures {
  readonly name: string;
  readonly dtype: DType;
  readonly elements: number;
  /**
   * `10·log10(Σref² / Σ(ref − other)²)` in dB: Infinity if all elements are equal, −Infinity if an element is finite in
   * only one.
   */
  readonly sqnr: ExtendedReal;
  /** `Σ(ref·other) / √(Σref²·Σother²)`; 1 if both are all zeros, 0 if one is. */
  readonly cosine: number;
  /** `max|ref − other|`; Infinity if an element is finite in only one. */
  readonly maxAbsError: ExtendedReal;
  /**
   * Number of elements that are not finite in the reference, of those not finite in the other model, and of those that
   * differ between the two.
   */
  readonly nonFinite: { readonly reference: number; readonly other: number; readonly differing: number };
  /** True if both models output only zeros: then SQNR, cosine and top-1 are meaningless. */
  readonly zero?: true;
  /** True for a state that is fed to the next step. It is not a result, and gates ignore it. */
  readonly cache?: true;
  /**
   * Rows whose largest element along the class axis has the same index in both; only for float outputs with classes.
   */
  readonly top1?: Share;
  /** Rows whose largest element has the index of the label, for each model. */
  readonly accuracy?: { readonly reference: Share; readonly other: Share };
}

/** A count out of a total. */
export interface Share {
  readonly count: number;
  readonly of: number;
}

/** Compares one output sample by sample; only sums are kept. */
export class OutputComparison {
  readonly name: string;
  readonly #kind: OutputKind;
  /** Whether only the data's labels suggest that the output has classes. */
  readonly #guessed: boolean;
  #dtype: DType | undefined;
  #elements = 0;
  #signal = 0;
  #noise = 0;
  #other = 0;
  #product = 0;
  #maxAbsError = 0;
  readonly #nonFinite = { reference: 0, other: 0, differing: 0 };
  #rows = 0;
  #agreeing = 0;
  #labelled = 0;
  readonly #right = { reference: 0, other: 0 };

  /**
   * @param kind - of the output; without classes, it still has some if labels fit
   * @param byLabels - whether labels alone may decide that
   */
  constructor(kind: OutputKind, byLabels = true) {
    this.name = kind.name;
    this.#kind = kind;
    this.#guessed = byLabels && kind.classes === undefined && kind.cache === undefined;
  }

  /** Whether the graph or the caller says that the output has classes. */
  get hasClasses(): boolean {
    return this.#kind.classes !== undefined;
  }

  /**
   * Adds the outputs of both models for a sample.
   * @param labels - a class per row; used if their number is that of the output's rows
   * @throws CompressError `unsupported` if shapes differ, or only one of the two is float
   */
  add(reference: FeedTensor, other: FeedTensor, labels?: FeedTensor): void {
    this.#check(reference, other);
    this.#dtype ??= reference.dtype;
    const [a, b] = [numbersOf(reference), numbersOf(other)];
    this.#elements += a.length;
    this.#sum(a, b, wholeDifferences(reference, other));
    const rows = isFloat(reference.dtype) ? rowsOf(reference.dims, this.#kind.classes ?? LAST) : undefined;
    if (rows === undefined) return;
    const truth = labels !== undefined && elementCount(labels.dims) === rows.count ? numbersOf(labels) : undefined;
    if (this.hasClasses || (this.#guessed && truth !== undefined)) this.#rank(a, b, rows, truth);
  }

  /** The figures over everything added so far. */
  figures(): OutputFigures {
    const sqnr = this.#noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(this.#signal / this.#noise);
    const differs = this.#nonFinite.differing > 0;
    const share = (count: number, of: number): Share => ({ count, of });
    const [labelled, right] = [this.#labelled, this.#right];
    return {
      name: this.name,
      dtype: this.#dtype ?? 'undefined',
      elements: this.#elements,
      sqnr: differs ? Number.NEGATIVE_INFINITY : sqnr,
      cosine: this.#cosine(),
      maxAbsError: differs ? Number.POSITIVE_INFINITY : this.#maxAbsError,
      nonFinite: { ...this.#nonFinite },
      ...(this.#isZero() ? { zero: true } : {}),
      ...(this.#kind.cache === undefined ? {} : { cache: true }),
      ...(this.#rows === 0 ? {} : { top1: share(this.#agreeing, this.#rows) }),
      ...(labelled === 0
        ? {}
        : { accuracy: { reference: share(right.reference, labelled), other: share(right.other, labelled) } }),
    };
  }

  #isZero(): boolean {
    const { reference, other } = this.#nonFinite;
    return this.#elements > 0 && this.#signal + this.#other + reference + other === 0;
  }

  #cosine(): number {
    if (this.#signal === 0 || this.#other === 0) return this.#signal === this.#other ? 1 : 0;
    if (this.#noise === 0) return 1;
    // Two roots, because the product of the sums may overflow.
    return this.#product / (Math.sqrt(this.#signal) * Math.sqrt(this.#other));
  }

  #check(reference: FeedTensor, other: FeedTensor): void {
    const same = reference.dims.length === other.dims.length && reference.dims.every((dim, i) => dim === other.dims[i]);
    if (same && isFloat(reference.dtype) === isFloat(other.dtype)) return;
    const shape = ({ dtype, dims }: FeedTensor): string => `${dtype} [${dims.join(', ')}]`;
    const fact = `is ${shape(reference)} in the first model and ${shape(other)} in the second`;
    throw new CompressError('unsupported', `output '${this.name}'`, fact);
  }

  #sum(a: Numbers, b: Numbers, differences: Numbers | undefined): void {
    for (let index = 0; index < a.length; index++) {
      const [x, y] = [a[index] as number, b[index] as number];
      if (Number.isFinite(x) && Number.isFinite(y)) {
        const error = differences === undefined ? x - y : (differences[index] as number);
        this.#signal += x * x;
        this.#other += y * y;
        this.#product += x * y;
        this.#noise += error * error;
        this.#maxAbsError = Math.max(this.#maxAbsError, Math.abs(error));
        continue;
      }
      if (!Number.isFinite(x)) this.#nonFinite.reference++;
      if (!Number.isFinite(y)) this.#nonFinite.other++;
      if (!Object.is(x, y)) this.#nonFinite.differing++;
    }
  }

  #rank(a: Numbers, b: Numbers, { count, length, inner }: ClassRows, truth: Numbers | undefined): void {
    this.#rows += count;
    if (truth !== undefined) this.#labelled += count;
    for (let row = 0; row < count; row++) {
      const start = Math.floor(row / inner) * length * inner + (row % inner);
      const [one, other] = [largest(a, start, length, inner), largest(b, start, length, inner)];
      if (one === other) this.#agreeing++;
      if (truth === undefined) continue;
      if (one === truth[row]) this.#right.reference++;
      if (other === truth[row]) this.#right.other++;
    }
  }
}

/** The class axis of an output about which nothing else is known. */
const LAST: Classes = { axis: -1 };

/** Rows with a number per class, at a distance of `inner` elements. */
interface ClassRows {
  readonly count: number;
  readonly length: number;
  readonly inner: number;
}

/** The rows of an array with classes; undefined if it has none. */
function rowsOf(dims: readonly number[], { axis: stated, length: wanted, alone }: Classes): ClassRows | undefined {
  const axis = stated < 0 ? stated + dims.length : stated;
  const length = dims[axis] ?? 0;
  if (axis < 1 || length < 2) return undefined;
  // Unused classes may be cut off, but if half or less remain, these are not classes.
  if (wanted !== undefined && (length > wanted || length * 2 <= wanted)) return undefined;
  if (alone === true && dims.some((dim, at) => at > 0 && at !== axis && dim !== 1)) return undefined;
  return { count: elementCount(dims) / length, length, inner: elementCount(dims.slice(axis + 1)) };
}

/** Numbers by index. */
export type Numbers = ArrayLike<number>;

/** Elements as numbers. 64-bit integers are rounded to 53 bits, far more than a class or a token needs. */
export function numbersOf({ dtype, data }: FeedTensor): Numbers {
  if (isWide(data)) return Float64Array.from(data, Number);
  if (dtype === 'float16' && data instanceof Uint16Array) {
    return toFloat32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 'float16');
  }
  return data;
}

/** Differences of 64-bit integers, computed before rounding: two hashes may agree in 53 bits and still differ. */
function wholeDifferences({ data: a }: FeedTensor, { data: b }: FeedTensor): Numbers | undefined {
  if (!isWide(a) || !isWide(b)) return undefined;
  return Float64Array.from(a, (one, index) => Number(one - (b[index] as bigint)));
}

function isWide(data: FeedTensor['data']): data is BigInt64Array | BigUint64Array {
  return data instanceof BigInt64Array || data instanceof BigUint64Array;
}

/** Index of the first largest element of a row; −1, which is not a label, if the row has a NaN. */
export function largest(values: Numbers, start: number, length: number, step: number): number {
  let best = 0;
  for (let index = 0; index < length; index++) {
    const value = values[start + index * step] as number;
    if (Number.isNaN(value)) return -1;
    if (value > (values[start + best * step] as number)) best = index;
  }
  return best;
}
