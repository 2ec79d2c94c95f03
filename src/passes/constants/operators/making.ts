import { byteLengthOf, elementCount } from '../../../ir/dtype.ts';
import { findAttribute, intAttribute } from '../../../ir/node.ts';
import { constant, type Tensor } from '../../../ir/tensor.ts';
import { filled } from '../../../kernels/constant/move.ts';
import { type Call, elementsOf, integers, isReal, type Operators, type Planned, sizeOf } from '../call.ts';

/** Operators that generate tensors: shapes, filled tensors and ranges. */
export const MAKING: Operators = {
  Shape: ({ node, inputs: [x] }) => {
    if (x === undefined) return undefined;
    const dims = x.dims.slice(intAttribute(node, 'start', 0), intAttribute(node, 'end', x.dims.length));
    return [whole([dims.length], dims)];
  },
  Size: ({ inputs: [x] }) => x && [whole([], [elementCount(x.dims)])],
  ConstantOfShape: constantOfShape,
  Range: range,
};

function whole(dims: readonly number[], values: readonly number[]): Planned {
  return { same: constant('', 'int64', dims, BigInt64Array.from(values, BigInt)), dims };
}

async function constantOfShape({ node, inputs: [shape] }: Call): Promise<readonly Planned[] | undefined> {
  const dims = await integers(shape);
  if (dims === undefined || dims.some((dim) => dim < 0)) return undefined;
  const given = findAttribute(node, 'value');
  const fill: Tensor = given?.type === 'tensor' ? given.value : constant('', 'float32', [1], Float32Array.of(0));
  const size = sizeOf(fill.dtype);
  if (size === undefined || elementCount(fill.dims) !== 1) return undefined;
  const byteLength = byteLengthOf(fill.dtype, elementCount(dims));
  const compute = ([element]: readonly Uint8Array[]): Uint8Array => filled(element as Uint8Array, byteLength);
  return [{ dtype: fill.dtype, dims, reads: [fill], compute, sure: true }];
}

/** The longest Range that is computed: its length is not known before. */
const MAX_RANGE = 1 << 14;

async function range({ inputs }: Call): Promise<readonly Planned[] | undefined> {
  const [start, limit, delta] = inputs;
  const dtype = start?.dtype;
  if (dtype === undefined || (dtype !== 'int64' && dtype !== 'int32' && !isReal(dtype))) return undefined;
  if (inputs.some((one) => one?.dtype !== dtype || elementCount(one.dims) !== 1)) return undefined;
  const numbers = await Promise.all(
    ([start, limit, delta] as Tensor[]).map(async (one) => Number(elementsOf(await one.load(), dtype)[0])),
  );
  const [first, last, step] = numbers as [number, number, number];
  const count = Math.max(0, Math.ceil((last - first) / step));
  // Fractional steps accumulate rounding that depends on the implementation.
  if (step === 0 || !(count <= MAX_RANGE) || !numbers.every(Number.isSafeInteger)) return undefined;
  const values = Array.from({ length: count }, (_, index) => first + index * step);
  if (isReal(dtype) && values.some((one) => Math.abs(one) > 2 ** 24)) return undefined;
  const data =
    dtype === 'int64'
      ? BigInt64Array.from(values, BigInt)
      : dtype === 'int32'
        ? Int32Array.from(values)
        : dtype === 'float32'
          ? Float32Array.from(values)
          : Float64Array.from(values);
  return [{ same: constant('', dtype, [count], data), dims: [count] }];
}
