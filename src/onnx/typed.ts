import type { Source } from '../bytes/source.ts';
import { bitsOf, byteLengthOf, type DType } from '../ir/dtype.ts';
import { FIXED32, FIXED64, TENSOR, VARINT } from './fields.ts';
import { VarintReader } from './varint.ts';

/**
 * Elements of a tensor in one of the typed fields (`float_data`, `int32_data`, …): a packed list, or a run of single
 * elements each with its tag.
 */
export interface TypedRun {
  readonly field: number;
  readonly packed: boolean;
  readonly start: number;
  end: number;
  /** Elements of an unpacked run; 0 where the list is packed and must be read to be counted. */
  elements: number;
}

/** The field in which ONNX keeps a dtype that is not in `raw_data`. */
function fieldOf(dtype: DType): number {
  switch (dtype) {
    case 'float32':
    case 'complex64':
      return TENSOR.floatData;
    case 'float64':
    case 'complex128':
      return TENSOR.doubleData;
    case 'int64':
      return TENSOR.int64Data;
    case 'uint32':
    case 'uint64':
      return TENSOR.uint64Data;
    default:
      return TENSOR.int32Data;
  }
}

/** How one unpacked element of a typed field is written. */
export function wireTypeOf(field: number): number {
  if (field === TENSOR.floatData) return FIXED32;
  return field === TENSOR.doubleData ? FIXED64 : VARINT;
}

/**
 * Bytes one stored number stands for: half floats and small integers are stored one an int32, 4-bit pairs one a byte.
 */
function unitBytes(dtype: DType): number {
  if (dtype === 'complex64') return 4;
  if (dtype === 'complex128') return 8;
  return Math.max(1, bitsOf(dtype) / 8);
}

/** Refuses what can be seen to be wrong without reading: the wrong field, or a packed float list of another length. */
export function checkPacked(
  runs: readonly TypedRun[],
  dtype: DType,
  count: number,
  shape: string,
  fail: (fact: string) => Error,
): void {
  const field = fieldOf(dtype);
  const foreign = runs.find((run) => run.field !== field);
  if (foreign !== undefined)
    throw fail(`${shape} has its data in field ${foreign.field}; ONNX stores it in field ${field}`);
  // A number has a byte at least: a few bytes cannot stand for a shape that fills the memory.
  const most = runs.reduce((sum, run) => sum + (run.packed ? run.end - run.start : run.elements), 0);
  const units = Math.floor(byteLengthOf(dtype, count) / unitBytes(dtype));
  if (most < units) throw fail(`has at most ${most} numbers; ${shape} needs ${units}`);
  if (field !== TENSOR.floatData && field !== TENSOR.doubleData) return;
  const size = field === TENSOR.floatData ? 4 : 8;
  const numbers = runs.reduce((sum, run) => sum + (run.packed ? (run.end - run.start) / size : run.elements), 0);
  const needed = count * (dtype.startsWith('complex') ? 2 : 1);
  if (numbers !== needed) throw fail(`has ${numbers} numbers; ${shape} needs ${needed}`);
}

/** Reads typed fields into the bytes `raw_data` would have. */
export async function loadTyped(
  source: Source,
  runs: readonly TypedRun[],
  dtype: DType,
  byteLength: number,
  shape: string,
  fail: (fact: string) => Error,
): Promise<Uint8Array> {
  const [only] = runs;
  const floats = only?.field === TENSOR.floatData || only?.field === TENSOR.doubleData;
  // A packed list of floats is the same bytes as raw_data.
  if (only !== undefined && runs.length === 1 && only.packed && floats) return source.read(only.start, only.end);
  const out = new Uint8Array(byteLength);
  const target = new DataView(out.buffer);
  const unit = unitBytes(dtype);
  const wireType = wireTypeOf(fieldOf(dtype));
  const varint = new VarintReader();
  let at = 0;
  const put = (low: number, high: number): void => {
    if (at + unit > byteLength) throw fail(`has more numbers than ${shape} needs`);
    if (unit === 1) out[at] = low;
    else if (unit === 2) target.setUint16(at, low, true);
    else {
      target.setUint32(at, low, true);
      if (unit === 8) target.setUint32(at + 4, high, true);
    }
    at += unit;
  };
  for (const run of runs) {
    const bytes = await source.read(run.start, run.end);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const readVarint = (from: number): number => {
      const next = varint.read(bytes, from, bytes.length);
      if (next < 0) throw fail('has a malformed list of numbers');
      return next;
    };
    for (let next = 0; next < bytes.length; ) {
      if (!run.packed) next = readVarint(next);
      if (wireType === VARINT) {
        next = readVarint(next);
        put(varint.low, varint.high);
      } else {
        const size = wireType === FIXED32 ? 4 : 8;
        if (next + size > bytes.length) throw fail('has a malformed list of numbers');
        put(view.getUint32(next, true), size === 8 ? view.getUint32(next + 4, true) : 0);
        next += size;
      }
    }
  }
  if (at !== byteLength) throw fail(`has ${at / unit} numbers; ${shape} needs ${byteLength / unit}`);
  return out;
}
