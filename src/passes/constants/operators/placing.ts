import { elementCount } from '../../../ir/dtype.ts';
import { intAttribute, stringAttribute } from '../../../ir/node.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { pick } from '../../../kernels/constant/move.ts';
import { arithmetic, positions, stridesOf, type Walk } from '../../../kernels/constant/shape.ts';
import { axisOf, type Call, elementsOf, integers, type Operators, type Planned, sizeOf } from '../call.ts';

/** Operators that place elements by indices or in blocks. */
export const PLACING: Operators = {
  DepthToSpace: depthToSpace,
  Trilu: trilu,
  GatherElements: gatherElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
};

function depthToSpace({ node, inputs: [x] }: Call): readonly Planned[] | undefined {
  const size = x && sizeOf(x.dtype);
  const block = intAttribute(node, 'blocksize', 0);
  if (x === undefined || size === undefined || x.dims.length !== 4 || block < 1) return undefined;
  const [batch, channels, rows, columns] = x.dims as [number, number, number, number];
  const depth = channels / block ** 2;
  if (!Number.isInteger(depth)) return undefined;
  const mode = stringAttribute(node, 'mode', 'DCR');
  if (mode !== 'DCR' && mode !== 'CRD') return undefined;
  const [perBatch, perChannel, perRow] = stridesOf(x.dims) as [number, number, number, number];
  // Channels are blocks of depths, or depths of blocks.
  const [perDepth, perPlace] =
    mode === 'DCR' ? [perChannel, depth * perChannel] : [block ** 2 * perChannel, perChannel];
  const steps = [
    arithmetic(batch, 0, perBatch),
    arithmetic(depth, 0, perDepth),
    arithmetic(rows, 0, perRow),
    arithmetic(block, 0, block * perPlace),
    arithmetic(columns, 0, 1),
    arithmetic(block, 0, perPlace),
  ];
  const walk: Walk = { base: 0, steps };
  const compute = ([bytes]: readonly Uint8Array[]): Uint8Array => pick(bytes as Uint8Array, size, walk);
  const dims = [batch, depth, rows * block, columns * block];
  return [{ dtype: x.dtype, dims, reads: [x], compute, sure: true }];
}

async function trilu({ node, inputs: [x, diagonal] }: Call): Promise<readonly Planned[] | undefined> {
  const size = x && sizeOf(x.dtype);
  const [k = 0] = diagonal === undefined ? [0] : ((await integers(diagonal)) ?? [Number.NaN]);
  if (x === undefined || size === undefined || x.dims.length < 2 || Number.isNaN(k)) return undefined;
  const upper = intAttribute(node, 'upper', 1) !== 0;
  const [rows, columns] = x.dims.slice(-2) as [number, number];
  const compute = ([bytes]: readonly Uint8Array[]): Uint8Array => {
    const out = (bytes as Uint8Array).slice();
    for (let start = 0; start < out.byteLength; start += rows * columns * size) {
      for (let row = 0; row < rows; row++) {
        const bound = Math.min(columns, Math.max(0, row + k + (upper ? 0 : 1)));
        const at = start + row * columns * size;
        if (upper) out.fill(0, at, at + bound * size);
        else out.fill(0, at + bound * size, at + columns * size);
      }
    }
    return out;
  };
  return [{ dtype: x.dtype, dims: x.dims, reads: [x], compute, sure: true }];
}

/** The positions of the elements that indices along one axis select; undefined if one is out of range. */
function placesAlong(
  dims: readonly number[],
  axis: number,
  bytes: Uint8Array,
  indices: Tensor,
): Int32Array | undefined {
  const own = stridesOf(dims);
  const length = dims[axis] as number;
  const steps = indices.dims.map((dim, at) => arithmetic(dim, 0, at === axis ? 0 : (own[at] as number)));
  const places = positions({ base: 0, steps });
  for (const [at, index] of elementsOf(bytes, indices.dtype as 'int64').entries()) {
    const found = axisOf(Number(index), length);
    if (found === undefined) return undefined;
    places[at] = (places[at] as number) + found * (own[axis] as number);
  }
  return places;
}

/** The axis that indices run along, if they are integers and fit within the other axes. */
function alongOf({ node }: Call, x: Tensor | undefined, indices: Tensor | undefined): number | undefined {
  const axis = x && axisOf(intAttribute(node, 'axis', 0), x.dims.length);
  if (x === undefined || indices === undefined || axis === undefined) return undefined;
  const fits = indices.dims.length === x.dims.length && (indices.dtype === 'int64' || indices.dtype === 'int32');
  const within = indices.dims.every((dim, at) => at === axis || dim <= (x.dims[at] as number));
  return fits && within ? axis : undefined;
}

async function gatherElements(call: Call): Promise<readonly Planned[] | undefined> {
  const [x, indices] = call.inputs;
  const axis = alongOf(call, x, indices);
  const size = x && sizeOf(x.dtype);
  if (axis === undefined || x === undefined || indices === undefined || size === undefined) return undefined;
  const { dims } = indices;
  if (!(await areWithin(indices, x.dims[axis] as number))) return undefined;
  const compute = ([bytes, places]: readonly Uint8Array[]): Uint8Array | undefined => {
    const found = placesAlong(x.dims, axis, places as Uint8Array, indices);
    return found && pick(bytes as Uint8Array, size, { base: 0, steps: [found] });
  };
  return [{ dtype: x.dtype, dims, reads: [x, indices], compute, sure: true }];
}

async function scatterElements(call: Call): Promise<readonly Planned[] | undefined> {
  const [x, indices, updates] = call.inputs;
  const axis = alongOf(call, x, indices);
  const size = x && sizeOf(x.dtype);
  const plain = stringAttribute(call.node, 'reduction', 'none') === 'none';
  if (axis === undefined || x === undefined || indices === undefined || size === undefined || !plain) return undefined;
  if (updates?.dtype !== x.dtype || updates.dims.join() !== indices.dims.join()) return undefined;
  if (!(await areWithin(indices, x.dims[axis] as number))) return undefined;
  const compute = ([bytes, list, values]: readonly Uint8Array[]): Uint8Array | undefined => {
    const places = placesAlong(x.dims, axis, list as Uint8Array, indices);
    return places && placed(bytes as Uint8Array, places, values as Uint8Array, size);
  };
  return [{ dtype: x.dtype, dims: x.dims, reads: [x, indices, updates], compute, sure: true }];
}

async function scatterND({ node, inputs: [x, indices, updates] }: Call): Promise<readonly Planned[] | undefined> {
  const size = x && sizeOf(x.dtype);
  const plain = stringAttribute(node, 'reduction', 'none') === 'none';
  if (x === undefined || size === undefined || !plain || indices?.dtype !== 'int64') return undefined;
  const depth = indices.dims.at(-1) ?? 0;
  const rest = x.dims.slice(depth);
  const wanted = [...indices.dims.slice(0, -1), ...rest];
  if (depth < 1 || depth > x.dims.length) return undefined;
  if (updates?.dtype !== x.dtype || updates.dims.join() !== wanted.join()) return undefined;
  const own = stridesOf(x.dims);
  const run = elementCount(rest) * size;
  const starts: number[] = [];
  for (const [at, index] of elementsOf(await indices.load(), 'int64').entries()) {
    const axis = at % depth;
    const found = axisOf(Number(index), x.dims[axis] as number);
    if (found === undefined) return undefined;
    if (axis === 0) starts.push(0);
    starts[starts.length - 1] = (starts.at(-1) as number) + found * (own[axis] as number) * size;
  }
  const compute = ([bytes, values]: readonly Uint8Array[]): Uint8Array => {
    const out = (bytes as Uint8Array).slice();
    for (const [at, to] of starts.entries()) out.set((values as Uint8Array).subarray(at * run, (at + 1) * run), to);
    return out;
  };
  return [{ dtype: x.dtype, dims: x.dims, reads: [x, updates], compute, sure: true }];
}

/** Whether all indices are within an axis: otherwise there is no answer. */
async function areWithin(indices: Tensor, length: number): Promise<boolean> {
  const all = elementsOf(await indices.load(), indices.dtype as 'int64');
  return (all as BigInt64Array).every((one: bigint | number) => axisOf(Number(one), length) !== undefined);
}

function placed(bytes: Uint8Array, places: Int32Array, values: Uint8Array, size: number): Uint8Array {
  const out = bytes.slice();
  for (const [at, place] of places.entries()) {
    out.set(values.subarray(at * size, (at + 1) * size), place * size);
  }
  return out;
}
