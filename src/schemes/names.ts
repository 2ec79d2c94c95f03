import type { HalfDType } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';

/**
 * Suffixes of tensors and values derived from another one. Within a run, `Tensor.from` holds the original of a tensor;
 * names are parsed only for models read from files.
 */
const SUFFIXES = { data: '_quantized', scale: '_scale', zeroPoint: '_zero_point', real: '_dequantized' } as const;

/** A part of an encoded value: the stored numbers, their scale and zero point, and the dequantized value. */
export type Part = keyof typeof SUFFIXES;

/** Names of the tensors that encode one float tensor. */
export interface EncodedNames {
  /** Name of the tensor that they represent. */
  readonly of: string;
  readonly data: string;
  readonly scale: string;
  readonly zeroPoint: string;
}

/** An unused name for a part of `of`. */
export function nameFor(graph: Graph, of: string, part: Part): string {
  return graph.uniqueName(`${of}${SUFFIXES[part]}`);
}

/** Unused names for all tensors that will represent `of`. */
export function namesFor(graph: Graph, of: string): EncodedNames {
  const name = (part: Part): string => nameFor(graph, of, part);
  return { of, data: name('data'), scale: name('scale'), zeroPoint: name('zeroPoint') };
}

/** An unused name for the 16-bit floats that will represent `of`. */
export function halfName(graph: Graph, of: string, dtype: HalfDType): string {
  return graph.uniqueName(nameOfHalf(of, dtype));
}

/** Our name for the 16-bit floats that represent `of`. */
export function nameOfHalf(of: string, dtype: HalfDType = 'float16'): string {
  return `${of}_${dtype}`;
}

/** Suffixes that ONNX Runtime's low-bit quantizers give to codes. */
const CODES = ['_Q4', '_Q8', '_Q2', '_Bnb4', '_DQ_Q4', '_DQ_Q8', '_DQ_Q2'] as const;

/**
 * Names that the tensors representing `of` may have in another file, likeliest first: ours, then those of ONNX
 * Runtime's quantizers. A file does not state what its integers represent.
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
