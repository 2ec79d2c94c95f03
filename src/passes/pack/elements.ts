import { bitsOf, type DType, elementCount } from '../../ir/dtype.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { piecewise } from '../../ir/tensor.ts';
import {
  countBits,
  countBytes,
  countKept,
  type ElementBytes,
  expand,
  writeMask,
  writePositions,
  writeValues,
} from '../../kernels/bitmask.ts';
import { CHUNK, pieces, Reading } from './stream.ts';

/** A tensor seen as elements that are kept and elements that are `fill`. */
export interface Counted {
  readonly elements: number;
  readonly size: ElementBytes;
  /** The bits of the omitted element: 0, or for bytes the most frequent one. */
  readonly fill: number;
  /** Elements that are not `fill`. */
  readonly kept: number;
}

/** Bytes of an element, where it has whole ones. */
export function sizeOf(dtype: DType): ElementBytes | undefined {
  const bits = bitsOf(dtype);
  return bits === 8 || bits === 16 || bits === 32 || bits === 64 ? ((bits / 8) as ElementBytes) : undefined;
}

/** Reads the tensor once. @param anyFill - the omitted element may be other than 0: a zero point */
export async function count(tensor: Tensor, size: ElementBytes, anyFill: boolean): Promise<Counted> {
  const elements = elementCount(tensor.dims);
  const counts = new Float64Array(256);
  let kept = 0;
  for await (const bytes of elementsOf(tensor, size)) {
    if (size === 1) countBytes(bytes, counts);
    else kept += countKept({ bytes, size, fill: 0 });
  }
  if (size !== 1) return { elements, size, fill: 0, kept };
  let fill = 0;
  if (anyFill) {
    for (let byte = 1; byte < 256; byte++) if ((counts[byte] as number) > (counts[fill] as number)) fill = byte;
  }
  return { elements, size, fill, kept: elements - (counts[fill] as number) };
}

async function* elementsOf(tensor: Tensor, size: ElementBytes): AsyncGenerator<Uint8Array> {
  const reading = new Reading(tensor);
  try {
    for (const piece of pieces(elementCount(tensor.dims))) yield await reading.take(piece.count * size);
  } finally {
    await reading.close();
  }
}

/** The mask of a tensor: uint8 `[ceil(elements / 8), 1]`. */
export function maskOf(name: string, tensor: Tensor, { elements, size, fill }: Counted): Tensor {
  return piecewise(name, 'uint8', [Math.ceil(elements / 8), 1], async function* () {
    const bits = new Uint8Array(Math.ceil(Math.min(elements, CHUNK) / 8));
    for await (const bytes of elementsOf(tensor, size)) yield bits.subarray(0, writeMask({ bytes, size, fill }, bits));
  });
}

/** The kept elements, preceded by `fill` if the graph looks it up there: `[kept + 1]` or `[kept]`. */
export function valuesOf(name: string, tensor: Tensor, counted: Counted, withFill: boolean): Tensor {
  const { size, fill, kept } = counted;
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    const first = new Uint8Array(size);
    first[0] = fill;
    if (withFill) yield first;
    let values = new Uint8Array(0);
    for await (const bytes of elementsOf(tensor, size)) {
      if (values.byteLength < bytes.byteLength) values = new Uint8Array(bytes.byteLength);
      yield values.subarray(0, writeValues({ bytes, size, fill }, values));
    }
  };
  return piecewise(name, tensor.dtype, [withFill ? kept + 1 : kept], chunks, tensor.extra);
}

/** Positions of the kept elements: int64 `[kept]`, ascending. */
export function positionsOf(name: string, tensor: Tensor, { size, fill, kept }: Counted): Tensor {
  return piecewise(name, 'int64', [kept], async function* () {
    let start = 0;
    let positions = new Uint32Array(0);
    for await (const bytes of elementsOf(tensor, size)) {
      const elements = bytes.byteLength / size;
      if (positions.length < 2 * elements) positions = new Uint32Array(2 * elements);
      yield new Uint8Array(positions.buffer, 0, 8 * writePositions({ bytes, size, fill }, start, positions));
      start += elements;
    }
  });
}

/** How many bits of a mask are 1; undefined if one after the last element is. */
export async function countMask(mask: Tensor, elements: number): Promise<number | undefined> {
  const reading = new Reading(mask);
  try {
    let kept = 0;
    let last = 0;
    for (const piece of pieces(mask.byteLength)) {
      const bits = await reading.take(piece.count);
      kept += countBits(bits);
      last = bits.at(-1) ?? 0;
    }
    return elements % 8 !== 0 && last >> (elements % 8) !== 0 ? undefined : kept;
  } finally {
    await reading.close();
  }
}

/** The tensor that mask and values represent. The first of `values` is the omitted element. */
export function denseOf(name: string, dims: readonly number[], mask: Tensor, values: Tensor): Tensor {
  const size = sizeOf(values.dtype) ?? 1;
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    const [bitsReading, valuesReading] = [new Reading(mask), new Reading(values)];
    try {
      const fill = Uint8Array.from(await valuesReading.take(size));
      let out = new Uint8Array(0);
      for (const piece of pieces(elementCount(dims))) {
        const bits = await bitsReading.take(Math.ceil(piece.count / 8));
        const kept = await valuesReading.take(countBits(bits) * size);
        if (out.byteLength < piece.count * size) out = new Uint8Array(piece.count * size);
        const target = out.subarray(0, piece.count * size);
        expand(bits, kept, size, fill, target);
        yield target;
      }
    } finally {
      await bitsReading.close();
      await valuesReading.close();
    }
  };
  return piecewise(name, values.dtype, dims, chunks, values.extra);
}
