import type { HalfDType } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';

/**
 * Suffixes of tensors and values derived from another one. Names are only built here, never parsed: the original of a
 * tensor is in `Tensor.from`.
 */
const SUFFIXES = { data: '_quantized', scale: '_scale', zeroPoint: '_zero_point', real: '_dequantized' } as const;

/** What becomes of a value: the numbers stored, their scale and zero point, and the value they make again. */
export type Part = keyof typeof SUFFIXES;

/** Names of the tensors that encode one float tensor. */
export interface EncodedNames {
  /** Of the tensor they stand for. */
  readonly of: string;
  readonly data: string;
  readonly scale: string;
  readonly zeroPoint: string;
}

/** A name for what `of` becomes, free in the graph. */
export function nameFor(graph: Graph, of: string, part: Part): string {
  return graph.uniqueName(`${of}${SUFFIXES[part]}`);
}

/** Names for all the tensors that are to stand for `of`, free in the graph. */
export function namesFor(graph: Graph, of: string): EncodedNames {
  const name = (part: Part): string => nameFor(graph, of, part);
  return { of, data: name('data'), scale: name('scale'), zeroPoint: name('zeroPoint') };
}

/** A name for the floats of 16 bits that stand for `of`, free in the graph. */
export function halfName(graph: Graph, of: string, dtype: HalfDType): string {
  return graph.uniqueName(nameOfHalf(of, dtype));
}

/** What we call the floats of 16 bits that stand for `of`. */
export function nameOfHalf(of: string, dtype: HalfDType = 'float16'): string {
  return `${of}_${dtype}`;
}

/** Suffixes of codes in ONNX Runtime's low-bit quantizers. */
const CODES = ['_Q4', '_Q8', '_Q2', '_Bnb4', '_DQ_Q4', '_DQ_Q8', '_DQ_Q2'] as const;

/**
 * Names that the tensors which stand for `of` have in another file, the likeliest first: ours and those of ONNX
 * Runtime's quantizers. A file says nowhere what its integers stand for.
 */
export function likelyNames(of: string): EncodedNames[] {
  const own = ['', '_1', '_2'].map((count) => {
    const name = (part: Part): string => `${of}${SUFFIXES[part]}${count}`;
    return { of, data: name('data'), scale: name('scale'), zeroPoint: name('zeroPoint') };
  });
  const codes = CODES.map((suffix) => {
    const before = suffix.startsWith('_DQ') ? `${of}_DQ` : of;
    return { of, data: `${of}${suffix}`, scale: `${before}_scales`, zeroPoint: `${before}_zero_points` };
  });
  return [...own, ...codes];
}

/** Our name for the codes of `of`. */
export function nameOfCodes(of: string): string {
  return `${of}${SUFFIXES.data}`;
}

/** The likely original name of integers or codes; undefined if their name does not reveal it. */
export function likelyOriginal(data: string): string | undefined {
  const bare = data.replace(/_[12]$/, '');
  const suffix = [SUFFIXES.data, ...[...CODES].sort((a, b) => b.length - a.length)].find((one) => bare.endsWith(one));
  return suffix === undefined || suffix.length === bare.length ? undefined : bare.slice(0, -suffix.length);
}
