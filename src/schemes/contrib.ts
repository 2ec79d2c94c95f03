import { elementCount, isFloat } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import { intAttribute, type Node } from '../ir/node.ts';
import { constant, derived, type Tensor } from '../ir/tensor.ts';
import { unpackBits } from '../kernels/packed.ts';
import { bnb4 } from './bnb4.ts';
import { asRead, type Decodable, decodableOf, seenAs, sourceTensor } from './decodable.ts';
import type { LinearNumbers } from './decode.ts';
import type { Granularity } from './scheme.ts';

/** Reads the weight of one input. */
type Reader = (graph: Graph, node: Node, data: Tensor, index: number) => Decodable | undefined;

/**
 * Operators of com.microsoft with low-bit weights, and the inputs that are weights.
 * @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
const READERS: Readonly<Record<string, { readonly weights: readonly number[]; readonly read: Reader }>> = {
  MatMulNBits: { weights: [1], read: nbits },
  MatMulBnb4: { weights: [1], read: matMulBnb4 },
  GatherBlockQuantized: { weights: [0], read: gatherBlocks },
  QMoE: { weights: [2, 5, 8], read: experts },
};

/** Whether a node is one of these operators. */
export function hasCodes({ domain, opType }: Node): boolean {
  return domain === 'com.microsoft' && Object.hasOwn(READERS, opType);
}

/** The weight inputs of such a node. */
export function codeInputs(node: Node): readonly number[] {
  const weights = hasCodes(node) ? (READERS[node.opType]?.weights ?? []) : [];
  return weights.filter((index) => (node.inputs[index] ?? '') !== '');
}

/** The weight that such a node reads at an input; undefined if it is not a constant or its parts do not fit. */
export function codesAt(graph: Graph, node: Node, index: number): Decodable | undefined {
  if (!codeInputs(node).includes(index)) return undefined;
  const data = sourceTensor(graph, node.inputs[index] ?? '');
  const scale = node.inputs[node.opType === 'QMoE' ? index + 1 : 2] ?? '';
  return data && asRead(graph, scale, READERS[node.opType]?.read(graph, node, data, index));
}

/**
 * B `[N, blocks, bytes of a block]`: rows of K codes, the last block padded, the first code of a byte in the low bits.
 */
function nbits(graph: Graph, node: Node, data: Tensor): Decodable | undefined {
  const int = (name: string, fallback: number): number => intAttribute(node, name, fallback);
  const [rows, columns, bits, block] = [int('N', 0), int('K', 0), int('bits', 4), int('block_size', 0)];
  // Codes may be prepacked for a GPU.
  if (int('weight_prepacked', 0) !== 0 || !(block > 0) || !(rows > 0) || !(columns > 0)) return undefined;
  const blocks = Math.ceil(columns / block);
  // g_idx says to which block each place of a row belongs.
  const order = node.inputs[4] ?? '';
  const groups = order === '' ? undefined : sourceTensor(graph, order);
  const places = elementCount(groups?.dims ?? [columns]);
  if (order !== '' && (groups?.dtype !== 'int32' || (places !== columns && places !== blocks * block)))
    return undefined;
  return coded(graph, data, {
    ...{ bits, dims: [rows, blocks * block], shape: [rows, columns] },
    granularity: { kind: 'block', axis: 1, size: block },
    scale: node.inputs[2],
    zeroPoint: node.inputs[3],
    zerosIn: blocks,
    groups,
  });
}

/** B: codes of `[N, K]`, in blocks that may cross row ends. */
function matMulBnb4(graph: Graph, node: Node, codes: Tensor): Decodable | undefined {
  const scale = sourceTensor(graph, node.inputs[2] ?? '');
  const int = (name: string): number => intAttribute(node, name, -1);
  if (scale === undefined || int('N') < 1 || int('K') < 1 || intAttribute(node, 'transB', 1) !== 1) return undefined;
  return bnb4({ kind: int('quant_type'), codes, scale, block: int('block_size'), dims: [int('N'), int('K')] });
}

/**
 * 4-bit integers, or bytes of several codes each, in blocks along one axis. Without zero points, codes in bytes are
 * symmetric around the middle.
 */
function gatherBlocks(graph: Graph, node: Node, data: Tensor): Decodable | undefined {
  const rank = data.dtype === 'uint8' ? rowsOf(graph, node, data).length + 1 : data.dims.length;
  const given = intAttribute(node, 'quantize_axis', 1);
  const axis = given < 0 ? given + rank : given;
  const granularity = { kind: 'block', axis, size: intAttribute(node, 'block_size', 128) } as const;
  const [, , scaleName, zeroName] = node.inputs;
  if (axis >= rank || granularity.size < 1) return undefined;
  if (data.dtype === 'uint8') {
    const bits = intAttribute(node, 'bits', 4);
    const rows = rowsOf(graph, node, data);
    const last = (data.byteLength / elementCount(rows)) * (8 / bits);
    const dims = [...rows, last];
    const zerosIn = Math.ceil(last / granularity.size);
    if (axis !== rank - 1) return undefined;
    return coded(graph, data, { bits, dims, granularity, scale: scaleName, zeroPoint: zeroName, zerosIn });
  }
  const scale = sourceTensor(graph, scaleName ?? '');
  const zeroPoint = zeroName === undefined || zeroName === '' ? undefined : sourceTensor(graph, zeroName);
  if (scale === undefined || !isFloat(scale.dtype) || !data.dtype.endsWith('int4')) return undefined;
  return fitting({ data, granularity, scale, zeroPoint }, zeroPoint === undefined && data.dtype === 'int4');
}

/**
 * The dims before the last one. A table that a MatMulNBits also reads has the dims of its B, and a Reshape before this
 * node; its scales have the same rows.
 */
function rowsOf(graph: Graph, { inputs: [table = '', , scale = ''] }: Node, data: Tensor): readonly number[] {
  const own = graph.constant(table) === undefined ? sourceTensor(graph, scale)?.dims : undefined;
  return (own ?? data.dims).slice(0, -1);
}

/**
 * Zero point inputs of QMoE by weight input: each scale follows its weight, the zero points are together at the end.
 */
const EXPERT_ZEROS: Readonly<Record<number, number>> = { 2: 11, 5: 12, 8: 13 };

/** `[experts, outputs, bytes of inputs]`, with a scale for each output or each block of its inputs. */
function experts(graph: Graph, node: Node, data: Tensor, index: number): Decodable | undefined {
  const bits = intAttribute(node, 'expert_weight_bits', 4);
  const block = intAttribute(node, 'block_size', 0);
  const [count = 0, outputs = 0, bytes = 0] = data.dims;
  const inputs = bytes * (8 / bits);
  return coded(graph, data, {
    ...{ bits, dims: [count, outputs, inputs] },
    granularity: block > 0 ? { kind: 'block', axis: 2, size: block } : { kind: 'channel', axis: 1, from: 0 },
    scale: node.inputs[index + 1],
    zeroPoint: node.inputs[EXPERT_ZEROS[index] ?? -1],
    zerosIn: block > 0 ? Math.ceil(inputs / block) : outputs,
  });
}

/** Codes packed in bytes, the first in the low bits. */
interface Coded {
  readonly bits: number;
  /** Dims of the codes. */
  readonly dims: readonly number[];
  readonly shape?: readonly number[];
  readonly granularity: Granularity;
  readonly scale: string | undefined;
  readonly zeroPoint: string | undefined;
  /** How many zero points are packed together; the last byte is padded. */
  readonly zerosIn: number;
  readonly groups?: Tensor | undefined;
}

const TYPES: Readonly<Record<number, 'uint2' | 'uint4' | 'uint8'>> = { 2: 'uint2', 4: 'uint4', 8: 'uint8' };

function coded(
  graph: Graph,
  bytes: Tensor,
  { bits, dims, shape, granularity, groups, ...named }: Coded,
): Decodable | undefined {
  const dtype = TYPES[bits];
  const scale = sourceTensor(graph, named.scale ?? '');
  if (dtype === undefined || scale === undefined || !isFloat(scale.dtype) || bytes.dtype !== 'uint8') return undefined;
  if (elementCount(dims) * bits !== bytes.byteLength * 8) return undefined;
  const given = named.zeroPoint ?? '';
  const stored = given === '' ? undefined : sourceTensor(graph, given);
  if (given !== '' && stored === undefined) return undefined;
  const zeroPoint =
    stored === undefined
      ? constant('', 'uint8', [], Uint8Array.of(2 ** (bits - 1)))
      : zerosOf(stored, bits, elementCount(scale.dims), named.zerosIn);
  const numbers = { data: seenAs(bytes, dtype, dims), granularity, scale, zeroPoint, groups, ...(shape && { shape }) };
  const made = zeroPoint && fitting(numbers, stored === undefined);
  return made && { ...made, parts: [bytes, scale, ...[stored, groups].filter((one) => one !== undefined)] };
}

/**
 * Zero points with one element each, like scales. Floats already have that form; codes are packed, `together` of them
 * at a time.
 */
function zerosOf(stored: Tensor, bits: number, count: number, together: number): Tensor | undefined {
  if (isFloat(stored.dtype) || bits === 8) return elementCount(stored.dims) === count ? stored : undefined;
  const bytes = Math.ceil((together * bits) / 8);
  if (stored.dtype !== 'uint8' || together === 0 || stored.byteLength * together !== count * bytes) return undefined;
  return derived(stored.name, 'uint8', [count], async () => {
    const all = Uint8Array.from(unpackBits(await stored.load(), bits as 2 | 4, false));
    const row = (bytes * 8) / bits;
    return Uint8Array.from({ length: count }, (_, at) => all[Math.floor(at / together) * row + (at % together)] ?? 0);
  });
}

/** The weight, if every block has a scale, and there is one zero point per scale or a single one. */
function fitting(numbers: LinearNumbers, symmetric: boolean): Decodable | undefined {
  const { data, granularity, scale, zeroPoint } = numbers;
  const size = granularity.kind === 'block' ? granularity.size : 1;
  const axis = granularity.kind === 'tensor' ? 0 : granularity.axis;
  const along = granularity.kind === 'block' ? data.dims : data.dims.slice(0, axis + 1);
  const scales = along.reduce((product, dim, at) => product * (at === axis ? Math.ceil(dim / size) : dim), 1);
  const zeros = zeroPoint === undefined ? 1 : elementCount(zeroPoint.dims);
  if (elementCount(scale.dims) !== scales || (zeros !== 1 && zeros !== scales)) return undefined;
  return decodableOf(numbers, symmetric);
}
