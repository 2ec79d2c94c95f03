import { CompressError } from '../errors.ts';
import { elementCount, isFloat } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import { toFloat32, toIntegers } from '../kernels/views.ts';
import { unpacked, unpackedFrom } from './packed.ts';
import { cutRows, mapped, type Reals, realsOf, swapped, swappedReals, withSpans } from './reals.ts';
import { type Encoded, type EncodedIntegers, type Granularity, isStoredInteger, spreadOf } from './scheme.ts';
import { spanReader } from './spans.ts';

/** Integers of any type, with the parts to dequantize them: `(q − zero point) · scale`. */
export interface LinearNumbers {
  readonly data: Tensor;
  readonly granularity: Granularity;
  readonly scale: Tensor;
  /** The tensors of the scales, if they are not a single float tensor. */
  readonly scaleParts?: readonly Tensor[] | undefined;
  /** One per scale, or a single one, as integers of any type or floats. */
  readonly zeroPoint?: Tensor | undefined;
  /** Which block each place along the axis belongs to, int32, if they do not follow one another. */
  readonly groups?: Tensor | undefined;
  /** Dims of the numbers, if they differ from those of the integers; a shorter last axis means padded rows. */
  readonly shape?: readonly number[] | undefined;
}

/** The stored numbers as float32: `(q − zero point) · scale`, or float16 unchanged. */
export function decode(encoded: Encoded): Reals {
  return isIntegers(encoded) ? decodeLinear(linearOf(encoded)) : (realsOf(encoded.data) as Reals);
}

/** The same with the last two axes swapped. */
export function decodeSwapped(encoded: Encoded): Reals {
  return isIntegers(encoded) ? decodeLinearSwapped(linearOf(encoded)) : (swappedReals(encoded.data) as Reals);
}

function linearOf(encoded: EncodedIntegers): LinearNumbers {
  return { ...encoded, granularity: encoded.scheme.granularity };
}

/** The numbers that integers represent, as float32, in chunks. */
export function decodeLinear(numbers: LinearNumbers): Reals {
  const { data, shape = data.dims } = numbers;
  const toNumbers = (bytes: Uint8Array): Float32Array => unpacked(bytes, data.dtype);
  async function* all(): AsyncGenerator<Float32Array, void, void> {
    const toReal = await realOf(numbers);
    const total = elementCount(data.dims);
    let start = 0;
    for await (const integers of mapped(data, toNumbers)) {
      // The last byte may hold padding.
      yield toReal(integers.subarray(0, total - start), start);
      start += integers.length;
    }
  }
  const read = spanReader(data, toNumbers);
  const spans: Reals['spans'] =
    read &&
    async function* (some) {
      const toReal = await realOf(numbers);
      for (const span of some) yield toReal(await read(span), span.start);
    };
  return cutRows(withSpans(all, spans), data.dims.at(-1) ?? 1, keptOf(data, shape));
}

/** The same with the last two axes swapped. */
export function decodeLinearSwapped(numbers: LinearNumbers): Reals {
  const { data, shape = data.dims } = numbers;
  const load = async (): Promise<(start: number, length: number) => Float32Array> => {
    const toReal = await realOf(numbers);
    const bytes = await data.load();
    return (start, length) => toReal(unpackedFrom(bytes, data.dtype, start, length), start);
  };
  return swapped(data.dims, load, keptOf(data, shape));
}

/** Elements of each row that are not padding. */
function keptOf({ dims }: Tensor, shape: readonly number[]): number {
  const row = dims.at(-1) ?? 1;
  return elementCount(shape) === elementCount(dims) ? row : (shape.at(-1) ?? row);
}

function isIntegers(encoded: Encoded): encoded is EncodedIntegers {
  return isStoredInteger(encoded.scheme.dtype);
}

/** Reads scales and zero points; returns a function that dequantizes integers from element `start` on. */
async function realOf({
  data,
  granularity,
  scale,
  zeroPoint,
  groups,
}: LinearNumbers): Promise<(integers: Float32Array, start: number) => Float32Array> {
  if (!isFloat(scale.dtype)) throw new TypeError(`${scale.name}: a scale of ${scale.dtype}`);
  const scales = toFloat32(await scale.load(), scale.dtype);
  const zeros = zeroPoint === undefined ? undefined : await numbersOf(zeroPoint);
  const { length, inner, block } = spreadOf(granularity, data.dims);
  const blocks = Math.ceil(length / (block ?? 1));
  const order = groups && (await groupsOf(groups, blocks));
  return (integers, start) => {
    const out = new Float32Array(integers.length);
    const line = Math.floor(start / inner);
    let [within, along, first] = [start % inner, line % length, Math.floor(line / length) * blocks];
    let which = 0;
    const settle = (): void => {
      which =
        block === undefined
          ? along
          : (first + (order === undefined ? Math.floor(along / block) : (order[along] ?? 0))) * inner;
    };
    settle();
    for (let at = 0; at < out.length; at++) {
      const index = block === undefined ? which : which + within;
      const zero = zeros === undefined ? 0 : (zeros[zeros.length === 1 ? 0 : index] as number);
      out[at] = ((integers[at] as number) - zero) * (scales[index] as number);
      if (++within < inner) continue;
      within = 0;
      if (++along === length) {
        along = 0;
        first += blocks;
      }
      settle();
    }
    return out;
  };
}

/** @throws CompressError `malformed` for a block that there is not */
async function groupsOf(groups: Tensor, blocks: number): Promise<readonly number[]> {
  const order = toIntegers(await groups.load(), 'int32').map(Number);
  const wrong = order.findIndex((one) => one < 0 || one >= blocks);
  if (wrong === -1) return order;
  const fact = `element ${wrong} is block ${order[wrong]} of a weight with ${blocks} blocks`;
  throw new CompressError('malformed', groups.name, fact);
}

/** All elements of a small tensor, whatever its type. */
async function numbersOf(tensor: Tensor): Promise<Float32Array> {
  const bytes = await tensor.load();
  return isFloat(tensor.dtype) ? toFloat32(bytes, tensor.dtype) : unpacked(bytes, tensor.dtype);
}
