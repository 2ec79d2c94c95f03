import { type DType, elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { channelLayout } from '../../kernels/layout.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { mapped, type Reals, swapped } from './values.ts';

/** Integer types a weight is stored as. */
const INTEGERS: readonly DType[] = ['int8', 'uint8', 'int4', 'uint4', 'int2', 'uint2'];

/** A weight stored as integers, with what makes it real. */
export interface QuantizedTensor {
  readonly data: Tensor;
  readonly scale: Tensor;
  readonly zeroPoint: Tensor | undefined;
  /** `per tensor`, `per channel` or `in blocks of 32`. */
  readonly granularity: string;
  readonly spread: Spread;
}

/** Which scale an element has: that of number `⌊o·blocks·inner⌋ + …` below. */
interface Spread {
  readonly outer: number;
  /** Elements along the axis of the scales. */
  readonly length: number;
  readonly inner: number;
  /** Elements along the axis that share a scale. */
  readonly block: number;
  /** Whether every place before and behind the axis has scales of its own, as in blocks, or all share those of the axis. */
  readonly own: boolean;
}

/** Finds the integers that stand for the weight `name`, as quantizers name them: `<name>_quantized`, or `_1` and so on behind it. */
export function findQuantized(graph: Graph, name: string): QuantizedTensor | undefined {
  for (const suffix of ['', '_1', '_2']) {
    const data =
      graph.initializers.get(`${name}_quantized${suffix}`) ?? graph.held(`${name}_quantized${suffix}`)?.tensor;
    if (data === undefined || !INTEGERS.includes(data.dtype)) continue;
    const found = withScale(graph, data, name, suffix);
    if (found !== undefined) return found;
  }
  return undefined;
}

function withScale(graph: Graph, data: Tensor, name: string, suffix: string): QuantizedTensor | undefined {
  const node = dequantizer(graph, data.name);
  const tensor = (value: string | undefined): Tensor | undefined =>
    value === undefined || value === '' ? undefined : graph.held(value)?.tensor;
  const scale = tensor(node?.inputs[1] ?? `${name}_scale${suffix}`);
  const zeroPoint = tensor(node === undefined ? `${name}_zero_point${suffix}` : node.inputs[2]);
  if (scale === undefined || !isFloat(scale.dtype)) return undefined;
  const found = spreadOf(data, scale, node);
  return found && { data, scale, zeroPoint, ...found };
}

/** The DequantizeLinear of integers, behind a Gather where they are a table. */
function dequantizer(graph: Graph, value: string): Node | undefined {
  for (const { node, index } of graph.uses(value)) {
    if (node === undefined || index !== 0) continue;
    if (isOp(node, 'DequantizeLinear')) return node;
    const next = isOp(node, 'Gather') ? graph.uses(node.outputs[0] ?? '')[0]?.node : undefined;
    if (next !== undefined && isOp(next, 'DequantizeLinear')) return next;
  }
  return undefined;
}

function spreadOf(
  { dims }: Tensor,
  scale: Tensor,
  node: Node | undefined,
): { spread: Spread; granularity: string } | undefined {
  const rank = dims.length;
  const scales = elementCount(scale.dims);
  const along = (axis: number, granularity: string): { spread: Spread; granularity: string } => {
    const { outer, channels, inner } = channelLayout(dims, axis);
    return { spread: { outer, length: channels, inner, block: 1, own: false }, granularity };
  };
  if (scales === 1) {
    const spread = { outer: 1, length: 1, inner: elementCount(dims), block: 1, own: false };
    return { spread, granularity: 'per tensor' };
  }
  const block = node === undefined ? 0 : intAttribute(node, 'block_size', 0);
  const given = node === undefined ? undefined : intAttribute(node, 'axis', 1);
  if (block > 0 && given !== undefined) {
    const axis = given < 0 ? given + rank : given;
    const { outer, channels, inner } = channelLayout(dims, axis);
    if (scales !== outer * Math.ceil(channels / block) * inner) return undefined;
    return { spread: { outer, length: channels, inner, block, own: true }, granularity: `in blocks of ${block}` };
  }
  if (scale.dims.length === 1) {
    const axis = given === undefined ? rank - 1 : given < 0 ? given + rank : given;
    return dims[axis] === scales ? along(axis, 'per channel') : undefined;
  }
  // Spread over the axes it has more than one for: one of them, or all before the last ones.
  const axes = scale.dims.flatMap((dim, axis) => (dim > 1 ? [axis] : []));
  const last = axes.at(-1);
  if (scale.dims.length !== rank || last === undefined) return undefined;
  if (axes.length === 1) return dims[last] === scales ? along(last, 'per channel') : undefined;
  const length = elementCount(dims.slice(0, last + 1));
  if (length !== scales) return undefined;
  const inner = elementCount(dims.slice(last + 1));
  return { spread: { outer: 1, length, inner, block: 1, own: false }, granularity: 'per channel' };
}

/** What the integers stand for: `(q − zero point) · scale`, in float32. */
export function dequantized(weight: QuantizedTensor): Reals {
  return async function* () {
    const toReal = await realOf(weight);
    let start = 0;
    const { data } = weight;
    for await (const integers of mapped(data, (bytes) => unpack(bytes, data.dtype))) {
      yield toReal(integers, start);
      start += integers.length;
    }
  };
}

/** The same with the last two axes swapped. */
export function dequantizedSwapped(weight: QuantizedTensor): Reals {
  const { data } = weight;
  return swapped(data.dims, async () => {
    const toReal = await realOf(weight);
    const bytes = await data.load();
    // Elements of less than a byte cannot be taken out one by one.
    const whole = data.dtype.endsWith('8') ? undefined : unpack(bytes, data.dtype);
    return (start, length) =>
      toReal(
        whole?.subarray(start, start + length) ?? unpack(bytes.subarray(start, start + length), data.dtype),
        start,
      );
  });
}

/** Reads scales and zero points; gives what makes integers real that begin at element `start`. */
async function realOf({
  data,
  scale,
  zeroPoint,
  spread,
}: QuantizedTensor): Promise<(integers: Float32Array, start: number) => Float32Array> {
  const scales = toFloat32(await scale.load(), scale.dtype as 'float32');
  const zeros = zeroPoint === undefined ? undefined : unpack(await zeroPoint.load(), data.dtype);
  const { length, inner, block, own } = spread;
  const blocks = Math.ceil(length / block);
  return (integers, start) => {
    const out = new Float32Array(integers.length);
    const line = Math.floor(start / inner);
    let [within, along, first] = [start % inner, line % length, Math.floor(line / length) * blocks];
    let which = 0;
    const settle = (): void => {
      which = own ? (first + Math.floor(along / block)) * inner : along;
    };
    settle();
    for (let at = 0; at < out.length; at++) {
      const index = own ? which + within : which;
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

/** Integers of 8, 4 or 2 bits as numbers; the last byte of a tensor may hold more than it has elements. */
export function unpack(bytes: Uint8Array, dtype: DType): Float32Array {
  if (dtype === 'uint8') return Float32Array.from(bytes);
  if (dtype === 'int8') return Float32Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const bits = dtype.endsWith('4') ? 4 : 2;
  const perByte = 8 / bits;
  const out = new Float32Array(bytes.length * perByte);
  const sign = dtype.startsWith('int') ? 1 << (bits - 1) : 0;
  for (let index = 0; index < out.length; index++) {
    const value = ((bytes[Math.floor(index / perByte)] as number) >> ((index % perByte) * bits)) & ((1 << bits) - 1);
    out[index] = (value ^ sign) - sign;
  }
  return out;
}
