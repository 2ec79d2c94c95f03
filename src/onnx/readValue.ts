import { DTYPES } from '../ir/dtype.ts';
import type { ValueInfo } from '../ir/graph.ts';
import { type ReadContext, remember } from './context.ts';
import { DIM, LENGTH, MAX_RANK, SHAPE, TENSOR_TYPE, TYPE, VALUE_INFO } from './fields.ts';
import type { Reading } from './reading.ts';
import type { Field } from './wire.ts';

type Dims = (number | string | undefined)[];
type Info = { name: string; dtype?: (typeof DTYPES)[number]; dims?: Dims };

/** Reads a ValueInfoProto: a name and, where it is a tensor, its element type and shape. */
export function* readValueInfo(context: ReadContext, field: Field): Reading<ValueInfo> {
  const { skim } = context;
  const info: Info = { name: '' };
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    if (one.number === VALUE_INFO.name) info.name = yield* skim.text(one);
    else if (one.number === VALUE_INFO.type) yield* readType(context, one, info);
  });
  return remember(context, info, field);
}

function* readType(context: ReadContext, field: Field, info: Info): Reading<void> {
  const { skim } = context;
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, (type) => {
    if (type.number !== TYPE.tensor) return undefined;
    skim.expect(type, LENGTH);
    return skim.walk(type.start, type.end, (one) => {
      if (one.number === TENSOR_TYPE.elemType) info.dtype = DTYPES[skim.int(one)] ?? 'undefined';
      return one.number === TENSOR_TYPE.shape ? readShape(context, one, info) : undefined;
    });
  });
}

function* readShape(context: ReadContext, field: Field, info: Info): Reading<void> {
  const { skim } = context;
  const dims: Dims = [];
  info.dims = dims;
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    if (one.number !== SHAPE.dim) return;
    if (dims.length >= MAX_RANK) throw skim.error(one.tagStart, `a value has more than ${MAX_RANK} dimensions`);
    dims.push(yield* readDim(context, one));
  });
}

function* readDim(context: ReadContext, field: Field): Reading<number | string | undefined> {
  const { skim } = context;
  let dim: number | string | undefined;
  skim.expect(field, LENGTH);
  yield* skim.walk(field.start, field.end, function* (one) {
    if (one.number === DIM.value) dim = skim.int(one);
    else if (one.number === DIM.param) dim = (yield* skim.text(one)) || undefined;
  });
  return dim;
}
