/** Small models with low-bit weights as other tools write them. */
import { type ModelSpec, type NodeSpec, type TensorSpec, value } from './build.ts';
import { toHalf } from './half.ts';

/** Varied bytes, the same each time. */
export function someBytes(count: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: count }, (_, at) => ((at + seed) * 73 + ((at * at) >> 3)) & 255);
}

/** Scales between 0.01 and 0.06, some of them negative if `signed`. */
export function someScales(count: number, signed = false): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, at) => (0.01 + ((at * 37) % 50) / 1000) * (signed && at % 3 ? -1 : 1),
  );
}

export const u8 = (dims: readonly number[], data: Uint8Array): TensorSpec => ({ dtype: 'uint8', dims, data });
export const f = (dims: readonly number[], data: Float32Array): TensorSpec => ({ dtype: 'float32', dims, data });
export const halves = (dims: readonly number[], data: Float32Array): TensorSpec => ({
  dtype: 'float16',
  dims,
  data: Uint16Array.from(data, toHalf),
});

/** The properties of a MatMulNBits. */
export interface NBits {
  readonly K: number;
  readonly N: number;
  readonly bits: 2 | 4 | 8;
  readonly block: number;
  readonly zeros?: 'packed' | 'float';
  readonly bias?: boolean;
  /** Scales are stored as float16 with a Cast. */
  readonly halved?: boolean;
  /** The block of each place of a row. */
  readonly order?: readonly number[];
}

/** `y = MatMulNBits(x, w_Q4, w_scales, …)` of x `[M, K]`. */
export function nbitsModel({ K, N, bits, block, zeros, bias, halved, order }: NBits): ModelSpec {
  const blocks = Math.ceil(K / block);
  const scales = someScales(N * blocks, true);
  const packed = Math.ceil((blocks * bits) / 8);
  const names = ['x', `w_Q${bits}`, halved ? 'w_scales_float' : 'w_scales'];
  const initializers: Record<string, TensorSpec> = {
    [`w_Q${bits}`]: u8([N, blocks, (block * bits) / 8], someBytes((N * blocks * block * bits) / 8)),
    w_scales: (halved ? halves : f)([N, blocks], scales),
  };
  if (zeros === 'packed') initializers['w_zero_points'] = u8([N, packed], someBytes(N * packed, 5));
  if (zeros === 'float')
    initializers['w_zero_points'] = f(
      [N, blocks],
      someScales(N * blocks).map((one) => one * 100),
    );
  if (bias) initializers['b'] = f([N], someScales(N));
  if (order) initializers['g_idx'] = { dtype: 'int32', dims: [order.length], data: Int32Array.from(order) };
  const inputs = [...names, zeros ? 'w_zero_points' : '', order ? 'g_idx' : '', bias ? 'b' : ''];
  while (inputs.at(-1) === '') inputs.pop();
  const nodes: NodeSpec[] = [
    {
      ...{ op: 'MatMulNBits', domain: 'com.microsoft', name: 'mm', in: inputs, out: ['y'] },
      attributes: { K, N, bits, block_size: block },
    },
  ];
  if (halved) nodes.unshift({ op: 'Cast', in: ['w_scales'], out: ['w_scales_float'], attributes: { to: 1 } });
  return {
    ...{ opset: 17, domains: { 'com.microsoft': 1 }, nodes, initializers },
    inputs: { x: value('float32', ['M', K]) },
    outputs: { y: value('float32', ['M', N]) },
  };
}

/** `y = MatMulBnb4(x, w_Bnb4, w_absmax)`. */
export function bnb4Model(K: number, N: number, block: number, kind: 0 | 1): ModelSpec {
  const attributes = { K, N, block_size: block, quant_type: kind };
  const node = { op: 'MatMulBnb4', domain: 'com.microsoft', name: 'mm', in: ['x', 'w_Bnb4', 'w_absmax'], out: ['y'] };
  return {
    ...{ opset: 17, domains: { 'com.microsoft': 1 } },
    nodes: [{ ...node, attributes }],
    initializers: {
      w_Bnb4: u8([(K * N) / 2], someBytes((K * N) / 2)),
      w_absmax: f([Math.ceil((K * N) / block)], someScales(Math.ceil((K * N) / block))),
    },
    inputs: { x: value('float32', ['M', K]) },
    outputs: { y: value('float32', ['M', N]) },
  };
}

/** The properties of a GatherBlockQuantized. */
export interface Blocks {
  readonly dtype: 'int4' | 'uint4' | 'uint8';
  readonly bits?: 2 | 4 | 8;
  readonly zeros?: boolean;
  /** Dims of the numbers; blocks run along the last axis. */
  readonly dims: readonly number[];
  readonly block: number;
}

/** `y = GatherBlockQuantized(table_Q4, ids, scales, …)` of rows. */
export function blocksModel({ dtype, bits = 4, zeros, dims, block }: Blocks): ModelSpec {
  const rows = dims.slice(0, -1);
  const last = dims.at(-1) ?? 0;
  const blocks = Math.ceil(last / block);
  const count = rows.reduce((a, b) => a * b, 1);
  const bytes = dtype === 'uint8';
  const data: TensorSpec = {
    dtype,
    dims: bytes ? [...rows, (last * bits) / 8] : dims,
    data: someBytes((count * last * bits) / 8),
  };
  const packed = Math.ceil((blocks * bits) / 8);
  const zeroPoints: TensorSpec = bytes
    ? u8([...rows, packed], someBytes(count * packed, 9))
    : { dtype, dims: [...rows, blocks], data: someBytes(Math.ceil((count * blocks) / 2), 9) };
  const inputs = ['table_Q4', 'ids', 'table_scales', ...(zeros ? ['table_zero_points'] : [])];
  const attributes = { gather_axis: 0, quantize_axis: dims.length - 1, block_size: block, ...(bytes ? { bits } : {}) };
  return {
    ...{ opset: 21, irVersion: 10, domains: { 'com.microsoft': 1 } },
    nodes: [{ op: 'GatherBlockQuantized', domain: 'com.microsoft', name: 'embed', in: inputs, out: ['y'], attributes }],
    initializers: {
      table_Q4: data,
      table_scales: f([...rows, blocks], someScales(count * blocks, true)),
      ...(zeros ? { table_zero_points: zeroPoints } : {}),
    },
    inputs: { ids: value('int64', ['T']) },
    outputs: { y: value('float32') },
  };
}

/** `y = tanh(rows of a table) · tableᵀ` with one copy of the table: a Reshape adapts it for GatherBlockQuantized. */
export function tiedModel(): ModelSpec {
  const [rows, columns, block] = [5, 64, 32];
  const blocks = columns / block;
  const domain = 'com.microsoft';
  return {
    ...{
      opset: 17,
      domains: { [domain]: 1 },
      inputs: { ids: value('int64', ['T']) },
      outputs: { y: value('float32') },
    },
    nodes: [
      { op: 'Reshape', in: ['table_Q4', 'rows'], out: ['flat'] },
      {
        ...{ op: 'GatherBlockQuantized', domain, in: ['flat', 'ids', 'table_scales'], out: ['e'] },
        attributes: { gather_axis: 0, quantize_axis: 1, block_size: block, bits: 4 },
      },
      { op: 'Tanh', in: ['e'], out: ['t'] },
      {
        ...{ op: 'MatMulNBits', domain, in: ['t', 'table_Q4', 'table_scales'], out: ['y'] },
        attributes: { K: columns, N: rows, bits: 4, block_size: block },
      },
    ],
    initializers: {
      table_Q4: u8([rows, blocks, block / 2], someBytes((rows * columns) / 2)),
      table_scales: f([rows, blocks], someScales(rows * blocks)),
      rows: { dtype: 'int64', dims: [2], data: BigInt64Array.of(BigInt(rows), BigInt(columns / 2)) },
    },
  };
}
