import { dtypeNumber } from '../ir/dtype.ts';
import type { ValueInfo } from '../ir/graph.ts';
import { DIM, SHAPE, TENSOR_TYPE, TYPE, VALUE_INFO } from './fields.ts';
import { Parts } from './parts.ts';

/**
 * Encodes a ValueInfoProto: the name, and the known parts of its tensor type. A dimension is a number, a symbol or
 * undefined. An empty list of dimensions is a scalar; no list is an unknown rank. Without a dtype no type is written,
 * and readers infer it.
 */
export function encodeValueInfo({ name, dtype, dims }: ValueInfo): Parts {
  const parts = new Parts().text(VALUE_INFO.name, name);
  if (dtype === undefined) return parts;
  const tensor = new Parts().int(TENSOR_TYPE.elemType, dtypeNumber(dtype));
  if (dims !== undefined) tensor.message(TENSOR_TYPE.shape, encodeShape(dims));
  return parts.message(VALUE_INFO.type, new Parts().message(TYPE.tensor, tensor));
}

function encodeShape(dims: readonly (number | string | undefined)[]): Parts {
  const shape = new Parts();
  for (const dim of dims) {
    const one = new Parts();
    if (typeof dim === 'number') one.int(DIM.value, dim);
    else if (dim !== undefined) one.text(DIM.param, dim);
    shape.message(SHAPE.dim, one);
  }
  return shape;
}
