import { byteLengthOf, type DType, elementCount } from '../ir/dtype.ts';
import { SAFE_HALF } from './float16.ts';
import {
  type Granularity,
  granularityName,
  type IntegerScheme,
  integerScheme,
  type SmallInteger,
  scaleDims,
} from './scheme.ts';

/** How a weight that is used as float may be stored as integers. */
export interface StoredForm {
  readonly dtype: SmallInteger;
  /** The coarsest sharing of scales. */
  readonly coarsest: Granularity;
  /** How many leading axes index rows, which are divided into blocks; undefined if no finer scales are wanted. */
  readonly rows: number | undefined;
  readonly reduceRange: boolean;
}

/** One way to store a weight as integers. */
export interface IntegerWay {
  readonly kind: 'integers';
  readonly scheme: IntegerScheme;
  /** Dims of the integers: those of the weight, or `[rows, blocks, size]`. */
  readonly dims: readonly number[];
  /** The type of the stored scales; uint8 scales have a scale per row themselves. */
  readonly scales: 'float32' | 'float16' | 'uint8';
  /** Bytes in the file, including the nodes that convert it to float. */
  readonly bytes: number;
}

/** One way to store a weight: as integers, as float16, or unchanged. */
export type StoredWay =
  | IntegerWay
  | { readonly kind: 'half'; readonly bytes: number }
  | { readonly kind: 'float'; readonly bytes: number };

/** Block sizes: how many neighbours in a row share a scale, coarsest first. */
const BLOCKS = [64, 32, 16];
/**
 * Estimated bytes of a node in the file: this many times the length of the weight's name, plus a fixed number. Likewise
 * for a tensor.
 */
const [NODE_NAMES, NODE_FRAME] = [3.5, 50];
const [TENSOR_NAMES, TENSOR_FRAME] = [1, 20];

/** The coarsest way, with float32 scales. */
export function coarsestWay(dims: readonly number[], { dtype, coarsest, reduceRange }: StoredForm): IntegerWay {
  const scheme = integerScheme(dtype, coarsest, reduceRange);
  const scales = byteLengthOf('float32', elementCount(scaleDims(coarsest, dims)));
  return { kind: 'integers', scheme, dims, scales: 'float32', bytes: elementCount(dims) + scales };
}

/**
 * The ways to store a weight as integers, coarsest scales first: the scales asked for, then one per 64, 32 or 16
 * neighbours of a row. Scales are stored in the type that takes the fewest bytes, including the nodes that convert them
 * to float32.
 *
 * ```
 * w [32, 16, 3, 3]  →  integers [32, 16, 3, 3], scales [32]
 *                      integers [32, 3, 48], scales [32, 3], reshaped to [32, 16, 3, 3]
 * ```
 *
 * @param peak - the largest magnitude: if it is small, scales are not stored as float16
 * @param of - name of the weight
 */
export function integerWays(dims: readonly number[], form: StoredForm, peak: number, of: string): IntegerWay[] {
  const first = coarsestWay(dims, form);
  const { dtype, rows, reduceRange } = form;
  const { symmetric, limit } = first.scheme;
  const halves = peak / limit >= SAFE_HALF;
  let scales = elementCount(scaleDims(first.scheme.granularity, dims));
  const way = (scheme: IntegerScheme, own: readonly number[], inBytes: number | undefined): IntegerWay => {
    const stored = smallestScales(scales, symmetric ? inBytes : undefined, halves, of);
    const zeroPoint = symmetric ? 0 : scales + node(2, of) + tensor(of);
    const nodes = node(own === dims ? 2 : 3, of) + 2 * tensor(of);
    return {
      kind: 'integers',
      scheme,
      dims: own,
      scales: stored.as,
      bytes: elementCount(dims) + stored.bytes + zeroPoint + nodes,
    };
  };
  const ways = [way(first.scheme, dims, undefined)];
  if (rows === undefined) return ways;
  const count = elementCount(dims.slice(0, rows));
  const length = elementCount(dims.slice(rows));
  for (const most of BLOCKS) {
    const size = divisor(length, most);
    const blocks = length / size;
    if (size < most / 2 || count * blocks <= scales) continue;
    scales = count * blocks;
    const name = `${dtype} ${granularityName({ kind: 'block', axis: 1, size })}`;
    const granularity = { kind: 'channel', axis: 1, from: 0 } as const;
    ways.push(way({ ...integerScheme(dtype, granularity, reduceRange), name }, [count, blocks, size], count));
  }
  return ways;
}

/** Stored as float16, with a Cast to float32. */
export function halfWay(dims: readonly number[], of: string): StoredWay {
  return { kind: 'half', bytes: byteLengthOf('float16', elementCount(dims)) + node(1, of) + tensor(of) };
}

/** Stored unchanged. */
export function floatWay(dims: readonly number[], dtype: DType, of: string): StoredWay {
  return { kind: 'float', bytes: byteLengthOf(dtype, elementCount(dims)) + tensor(of) };
}

/**
 * The type in which scales take the fewest bytes, including the nodes that convert them to float32. @param rows -
 * number of rows, each with one step for its uint8 scales
 */
function smallestScales(
  scales: number,
  rows: number | undefined,
  halves: boolean,
  of: string,
): { readonly as: IntegerWay['scales']; readonly bytes: number } {
  const ways: { as: IntegerWay['scales']; bytes: number }[] = [
    { as: 'float32', bytes: byteLengthOf('float32', scales) },
  ];
  if (halves) ways.push({ as: 'float16', bytes: byteLengthOf('float16', scales) + node(1, of) });
  if (rows !== undefined) {
    ways.push({ as: 'uint8', bytes: scales + byteLengthOf('float32', rows) + node(2, of) + tensor(of) });
  }
  return ways.reduce((best, one) => (one.bytes < best.bytes ? one : best));
}

function node(count: number, of: string): number {
  return count * (NODE_NAMES * of.length + NODE_FRAME);
}

function tensor(of: string): number {
  return TENSOR_NAMES * of.length + TENSOR_FRAME;
}

/** The largest divisor of `length` up to `most`. */
function divisor(length: number, most: number): number {
  for (let size = Math.min(most, length); size > 1; size--) if (length % size === 0) return size;
  return 1;
}
