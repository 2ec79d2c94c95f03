import { elementCount, isFloat } from '../ir/dtype.ts';
import { toFloat32 } from '../kernels/views.ts';
import { unpacked } from './packed.ts';
import { mapped, type Reals, realsOf, swapped, swappedReals } from './reals.ts';
import { type Encoded, type EncodedIntegers, isStoredInteger, spreadOf } from './scheme.ts';

/** The numbers that are stored, in float32: `(q − zero point) · scale`, or float16 as it is. */
export function decode(encoded: Encoded): Reals {
  if (!isIntegers(encoded)) return realsOf(encoded.data) as Reals;
  const { data, scheme } = encoded;
  return async function* () {
    const toReal = await realOf(encoded);
    const total = elementCount(data.dims);
    let start = 0;
    for await (const integers of mapped(data, (bytes) => unpacked(bytes, scheme.dtype))) {
      // The last byte may have room for more elements than there are.
      yield toReal(integers.subarray(0, total - start), start);
      start += integers.length;
    }
  };
}

/** The same with the last two axes swapped. */
export function decodeSwapped(encoded: Encoded): Reals {
  if (!isIntegers(encoded)) return swappedReals(encoded.data) as Reals;
  const { data, scheme } = encoded;
  return swapped(data.dims, async () => {
    const toReal = await realOf(encoded);
    const bytes = await data.load();
    // Elements of less than a byte cannot be taken out one by one.
    const whole = data.dtype.endsWith('8') ? undefined : unpacked(bytes, scheme.dtype);
    return (start, length) =>
      toReal(
        whole?.subarray(start, start + length) ?? unpacked(bytes.subarray(start, start + length), scheme.dtype),
        start,
      );
  });
}

function isIntegers(encoded: Encoded): encoded is EncodedIntegers {
  return isStoredInteger(encoded.scheme.dtype);
}

/** Reads scales and zero points; gives what makes integers real that begin at element `start`. */
async function realOf({
  data,
  scheme,
  scale,
  zeroPoint,
}: EncodedIntegers): Promise<(integers: Float32Array, start: number) => Float32Array> {
  if (!isFloat(scale.dtype)) throw new TypeError(`${scale.name}: a scale of ${scale.dtype}`);
  const scales = toFloat32(await scale.load(), scale.dtype);
  const zeros = zeroPoint === undefined ? undefined : unpacked(await zeroPoint.load(), scheme.dtype);
  const { length, inner, block } = spreadOf(scheme.granularity, data.dims);
  const blocks = Math.ceil(length / (block ?? 1));
  return (integers, start) => {
    const out = new Float32Array(integers.length);
    const line = Math.floor(start / inner);
    let [within, along, first] = [start % inner, line % length, Math.floor(line / length) * blocks];
    let which = 0;
    const settle = (): void => {
      which = block === undefined ? along : (first + Math.floor(along / block)) * inner;
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
