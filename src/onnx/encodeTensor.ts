import { CompressError } from '../errors.ts';
import { dtypeNumber } from '../ir/dtype.ts';
import type { SparseTensor, Tensor } from '../ir/tensor.ts';
import { ENTRY, SPARSE, TENSOR } from './fields.ts';
import { externals, originOf } from './origin.ts';
import { Parts } from './parts.ts';
import { Segment } from './segment.ts';

/** Where a tensor's elements are written if they do not stay in the model file. */
export interface TensorLocation {
  readonly location: string;
  readonly offset: number;
  readonly checksum: string | undefined;
}

/** Chooses the location of an initializer's tensor; undefined keeps it in the model file. */
export type Placement = (tensor: Tensor) => TensorLocation | undefined;

/** Options of encoding a tensor. `keepExternal`: the data files do not change, so references to them stay valid. */
export interface TensorOptions {
  readonly place: Placement;
  readonly keepExternal: boolean;
}

/** Encodes a tensor as field `number`, or copies it from its file. */
export function encodeTensor(parts: Parts, field: number, tensor: Tensor, options: TensorOptions): void {
  const place = options.place(tensor);
  const origin = originOf(tensor);
  const external = externals.has(tensor) && !options.keepExternal;
  if (origin !== undefined && place === undefined && !external) {
    if (origin.field === field) parts.segment(origin.whole);
    else parts.message(field, new Parts().segment(origin.payload));
    return;
  }
  if (tensor.dtype === 'string')
    throw new CompressError('internal', tensor.name, 'a string tensor cannot be encoded again');
  const inner = new Parts()
    .ints(TENSOR.dims, tensor.dims)
    .int(TENSOR.dataType, dtypeNumber(tensor.dtype))
    .text(TENSOR.name, tensor.name);
  if (place === undefined) {
    const data = dataParts(tensor);
    inner.message(TENSOR.rawData, data);
  } else {
    const entry = (key: string, value: string): Parts =>
      inner.message(TENSOR.externalData, new Parts().text(ENTRY.key, key).text(ENTRY.value, value));
    entry('location', place.location);
    entry('offset', String(place.offset));
    entry('length', String(tensor.byteLength));
    if (place.checksum !== undefined) entry('checksum', place.checksum);
    inner.int(TENSOR.dataLocation, 1);
  }
  parts.message(field, inner.blob(tensor.extra));
}

/** Encodes a sparse tensor. It stays in the model file: no reader accepts external data for it. */
export function encodeSparse({ name, dims, values, indices }: SparseTensor, options: TensorOptions): Parts {
  if (values === undefined || indices === undefined) {
    throw new CompressError('internal', name, 'a sparse tensor without values or indices cannot be encoded');
  }
  const parts = new Parts();
  const inside = { ...options, place: () => undefined };
  encodeTensor(parts, SPARSE.values, values, inside);
  encodeTensor(parts, SPARSE.indices, indices, inside);
  return parts.ints(SPARSE.dims, dims);
}

/** The elements of a tensor: copied if they are stored as raw bytes, otherwise loaded or computed. */
export function dataParts(tensor: Tensor): Parts {
  const { stored } = tensor;
  return stored instanceof Segment ? new Parts().segment(stored) : new Parts().tensor(tensor);
}
