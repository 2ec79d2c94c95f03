import { DTYPES } from '../ir/dtype.ts';
import type { ValueInfo } from '../ir/graph.ts';
import { type ReadContext, remember } from './context.ts';
import { DIM, LENGTH, MAX_RANK, SHAPE, TENSOR_TYPE, TYPE, VALUE_INFO } from './fields.ts';
import type { Pending, Reading } from './reading.ts';
import type { Field } from './wireField.ts';

type Dims = (number | string | undefined)[];
type Info = { name: string; dtype?: (typeof DTYPES)[number]; dims?: Dims };

/** Reads a ValueInfoProto: a name and, where it is a tensor, its element type and shape. */
export function* readValueInfo(context: ReadContext, field: Field): Reading<ValueInfo> {
  const { skim } = context;
  const info: Info = { name: '' };
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, (one) => {
    if (one.number === VALUE_INFO.type) return readType(context, one, info);
    if (one.number !== VALUE_INFO.name) return undefined;
    return skim.textInto(one, (text) => {
      info.name = text;
    });
  });
  return remember(context, info, field);
}

function readType(context: ReadContext, field: Field, info: Info): Pending {
  const { skim } = context;
  skim.expect(field, LENGTH);
  return skim.scan(field.start, field.end, (type) => {
    if (type.number !== TYPE.tensor) return undefined;
    skim.expect(type, LENGTH);
    return skim.scan(type.start, type.end, (one) => {
      if (one.number === TENSOR_TYPE.elemType) info.dtype = DTYPES[skim.int(one)] ?? 'undefined';
      return one.number === TENSOR_TYPE.shape ? readShape(context, one, info) : undefined;
    });
  });
}

function readShape(context: ReadContext, field: Field, info: Info): Pending {
  const { skim } = context;
  const dims: Dims = [];
  info.dims = dims;
  skim.expect(field, LENGTH);
  return skim.scan(field.start, field.end, (one) => {
    if (one.number !== SHAPE.dim) return undefined;
    if (dims.length >= MAX_RANK)
      throw skim.error(one.tagStart, `a value has more than ${MAX_RANK} dimensions`, 'limit');
    return readDim(context, one, dims);
  });
}

function readDim(context: ReadContext, field: Field, dims: Dims): Pending {
  const { skim } = context;
  const index = dims.push(undefined) - 1;
  skim.expect(field, LENGTH);
  return skim.scan(field.start, field.end, (one) => {
    if (one.number === DIM.value) dims[index] = lengthOf(skim.int(one));
    if (one.number !== DIM.param) return undefined;
    return skim.textInto(one, (text) => {
      dims[index] = text === '' ? undefined : text;
    });
  });
}

/**
 * A stated length; undefined if it is open. Some exporters write −1 for that, and lengths beyond a safe integer are
 * ignored too.
 */
function lengthOf(value: number): number | undefined {
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
