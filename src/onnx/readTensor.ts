import { CompressError } from '../errors.ts';
import { byteLengthOf, DTYPES, type DType, elementCount } from '../ir/dtype.ts';
import { type SparseTensor, type Tensor, tensorOf } from '../ir/tensor.ts';
import { Ranges, type ReadContext, remember, wholeOf } from './context.ts';
import { readEntry, refuseExternal, resolveExternal } from './external.ts';
import { LENGTH, MAX_RANK, SPARSE, TENSOR } from './fields.ts';
import { externals } from './origin.ts';
import type { Reading } from './reading.ts';

import { Segment } from './segment.ts';
import { checkPacked, loadTyped, type TypedRun, wireTypeOf } from './typed.ts';
import type { Field } from './wireField.ts';

const TYPED_FIELDS: ReadonlySet<number> = new Set([
  TENSOR.floatData,
  TENSOR.int32Data,
  TENSOR.int64Data,
  TENSOR.doubleData,
  TENSOR.uint64Data,
]);

/**
 * Reads a TensorProto; its elements stay in the file.
 * @param where - what errors call it, e.g. `initializer[3]`; the tensor's name is added
 * @throws CompressError `malformed` if dims, dtype and stored bytes do not match
 */
export function* readTensor(context: ReadContext, field: Field, where: string): Reading<Tensor> {
  const { skim } = context;
  let name = '';
  let dataType = 0;
  const dims: number[] = [];
  let raw: Segment | undefined;
  const typed: TypedRun[] = [];
  const strings = { count: 0, bytes: 0 };
  const entries = new Map<string, string>();
  let external = false;
  let segmented = false;
  const extra = new Ranges();
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    switch (one.number) {
      case TENSOR.name:
        name = yield* skim.text(one);
        break;
      case TENSOR.dataType:
        dataType = skim.int(one);
        break;
      case TENSOR.dims:
        for (const dim of yield* skim.ints(one, MAX_RANK)) dims.push(Number(dim));
        break;
      case TENSOR.rawData:
        skim.expect(one, LENGTH);
        raw = skim.segment(one.start, one.end);
        break;
      case TENSOR.stringData:
        skim.expect(one, LENGTH);
        strings.count++;
        strings.bytes += one.end - one.start;
        break;
      case TENSOR.externalData: {
        const [key, value] = yield* readEntry(context, one);
        entries.set(key, value);
        break;
      }
      case TENSOR.dataLocation:
        external = skim.int(one) === 1;
        break;
      case TENSOR.segment:
        segmented = true;
        break;
      default:
        if (TYPED_FIELDS.has(one.number)) addRun(context, typed, one);
        else extra.add(wholeOf(context, one));
    }
  });

  const fail = failure(context, where, name);
  const dtype: DType = DTYPES[dataType] ?? unknownType(dataType, fail);
  const count = checkDims(dims, fail);
  const shape = `${dtype} [${dims.join(', ')}]`;
  if (segmented) throw fail('is stored in segments, which are not supported (nor does ONNX Runtime)');
  const sources = [raw !== undefined && raw.byteLength > 0, typed.length > 0, external, strings.count > 0].filter(
    Boolean,
  ).length;
  if (sources > 1) throw fail('has its data in more than one place');

  if (dtype === 'string') {
    if (strings.count !== count) throw fail(`string_data has ${strings.count} strings; ${shape} needs ${count}`);
    const load = async (): Promise<never> => {
      throw fail('a string tensor cannot be loaded as numbers');
    };
    return remember(
      context,
      tensorOf({ name, dtype, dims, byteLength: strings.bytes, load, ...extra.orNone() }),
      field,
    );
  }
  const byteLength = byteLengthOf(dtype, count);
  const tensor = (load: () => Promise<Uint8Array>, stored?: Segment): Tensor =>
    remember(
      context,
      tensorOf({ name, dtype, dims, byteLength, load, ...(stored && { stored }), ...extra.orNone() }),
      field,
    );

  if (external) {
    const range = yield* resolveExternal(context, entries, byteLength, `${where} '${name}'`, fail);
    const stored = new Segment(range.source, range.start, range.end);
    const made = tensor(() => stored.load(), stored);
    externals.set(made, range);
    return made;
  }
  if (raw !== undefined && (raw.byteLength > 0 || typed.length === 0)) {
    const bytes: Segment = raw;
    if (bytes.byteLength !== byteLength)
      throw fail(`raw_data has ${bytes.byteLength} bytes; ${shape} needs ${byteLength}`);
    return tensor(() => bytes.load(), bytes);
  }
  if (typed.length === 0 && byteLength > 0) throw fail(`has no data; ${shape} needs ${byteLength} bytes`);
  checkPacked(typed, dtype, count, shape, fail);
  return tensor(() => loadTyped(skim.source, typed, dtype, byteLength, shape, fail));
}

/** Reads a SparseTensorProto's header; its values and indices stay in the file. */
export function* readSparse(context: ReadContext, field: Field, where: string): Reading<SparseTensor> {
  const { skim } = context;
  let values: Tensor | undefined;
  let indices: Tensor | undefined;
  const dims: number[] = [];
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    if (one.number === SPARSE.values) values = yield* readSparsePart(context, one, `${where} values`);
    else if (one.number === SPARSE.indices) indices = yield* readSparsePart(context, one, `${where} indices`);
    else if (one.number === SPARSE.dims) for (const dim of yield* skim.ints(one, MAX_RANK)) dims.push(Number(dim));
  });
  const fail = failure(context, where, values?.name ?? '');
  const count = checkDims(dims, fail);
  if (values === undefined) throw fail('has no values');
  const stored = values.dims[0] ?? 0;
  if (values.dims.length !== 1 || stored > count)
    throw fail(`has ${stored} values; [${dims.join(', ')}] holds ${count}`);
  const { name, dtype } = values;
  return remember(context, { name, dtype, dims, stored, values, ...(indices && { indices }) }, field);
}

function* readSparsePart(context: ReadContext, field: Field, where: string): Reading<Tensor> {
  const tensor = yield* readTensor(context, field, where);
  if (externals.has(tensor)) throw refuseExternal(context, `${where} '${tensor.name}'`);
  return tensor;
}

/** Errors about one tensor, e.g. `model.onnx, graph.initializer[12] 'fc.weight': raw_data has 40 bytes; …`. */
function failure(context: ReadContext, where: string, name: string): (fact: string) => CompressError {
  return (fact) => new CompressError('malformed', `${context.skim.source.label}, ${where} '${name}'`, fact);
}

function unknownType(number: number, fail: (fact: string) => Error): never {
  throw fail(`has the unknown data type ${number}`);
}

function checkDims(dims: readonly number[], fail: (fact: string) => Error): number {
  if (dims.length > MAX_RANK) throw fail(`has ${dims.length} dimensions; at most ${MAX_RANK} are accepted`);
  const impossible = dims.find((dim) => !(dim >= 0 && Number.isSafeInteger(dim)));
  if (impossible !== undefined) throw fail(`has the invalid dimension ${impossible}`);
  // The largest allowed count, times the 16 bytes of complex128, must be exact in a double.
  const count = elementCount(dims);
  if (!(count <= Number.MAX_SAFE_INTEGER / 16)) throw fail(`has the impossible shape [${dims.join(', ')}]`);
  return count;
}

/** Adds a typed field to the runs: a packed field is one run, and consecutive unpacked elements are merged into one. */
function addRun(context: ReadContext, runs: TypedRun[], field: Field): void {
  const packed = field.wireType === LENGTH;
  if (!packed) context.skim.expect(field, wireTypeOf(field.number));
  const last = runs.at(-1);
  if (packed && field.end === field.start) return;
  if (!packed && last !== undefined && !last.packed && last.field === field.number && last.end === field.tagStart) {
    last.end = field.end;
    last.elements += 1;
  } else {
    const start = packed ? field.start : field.tagStart;
    runs.push({ field: field.number, packed, start, end: field.end, elements: packed ? 0 : 1 });
  }
}
