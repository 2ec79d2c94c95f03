import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { CompressError, ioError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { type NpyArray, parseNpy } from './npy.ts';
import type { DataSet, FeedData, FeedTensor, Sample } from './types.ts';

/** How to cut arrays into samples. */
export interface DataOptions {
  /** Rows that are fed at once, where the model leaves its first dimension open. */
  readonly batch?: number;
  /** Use only the first rows. */
  readonly samples?: number;
}

/** The true classes of the rows, where a file has them. */
export const LABELS = '__labels__';
/** Largest file read, and largest sum of what a .npz unpacks to: more cannot be one buffer everywhere. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Input data for a model from a `.npz` (arrays by input name, rows on the first axis) or, for a model with one input, a
 * `.npy`.
 *
 * @param inputs - of the model, without initializers
 * @throws CompressError `data` naming file, input and row where an array is missing, of another type or shape, or holds
 *   NaN or infinity; `io`
 */
export async function openData(
  path: string,
  inputs: readonly ValueInfo[],
  options: DataOptions = {},
): Promise<DataSet> {
  const arrays = await readArrays(path, inputs);
  const bad = (input: string, fact: string, hint?: string): CompressError =>
    new CompressError('data', `${path}, input '${input}'`, fact, hint === undefined ? {} : { hint });
  const known = new Set(inputs.map((one) => one.name));
  const extra = [...arrays.keys()].find((name) => !known.has(name) && name !== LABELS);
  if (extra !== undefined) {
    throw bad(extra, 'the model has no such input', `Its inputs are ${[...known].join(', ')}.`);
  }
  let rows: number | undefined;
  for (const input of inputs) {
    const array = arrays.get(input.name);
    if (array === undefined) throw bad(input.name, `the file has no array of this name, only ${list(arrays)}`);
    checkArray(input, array, (fact) => bad(input.name, fact));
    const own = array.dims[0] as number;
    if (rows !== undefined && own !== rows) throw bad(input.name, `has ${own} rows; the input before has ${rows}`);
    rows = own;
  }
  const count = Math.min(rows ?? 0, options.samples ?? Number.POSITIVE_INFINITY);
  const fixed = inputs.map((one) => one.dims?.[0]).find((dim) => typeof dim === 'number');
  const batch = typeof fixed === 'number' ? fixed : (options.batch ?? 1);
  // A model that fixes its batch cannot take a rest.
  const usable = typeof fixed === 'number' ? count - (count % batch) : count;
  if (usable <= 0) throw new CompressError('data', path, `has ${count} rows; at least ${batch} are needed`);
  const label = basename(path);
  const rowsOf = (array: NpyArray, start: number, end: number): FeedTensor => {
    const length = array.data.length / (array.dims[0] as number);
    const data = array.data.slice(start * length, end * length) as FeedData;
    return { dtype: array.dtype, dims: [end - start, ...array.dims.slice(1)], data };
  };
  const labels = arrays.get(LABELS);
  return {
    description: `${label}: ${usable} ${usable === 1 ? 'sample' : 'samples'}`,
    async *samples(): AsyncGenerator<Sample> {
      for (let start = 0; start < usable; start += batch) {
        const end = Math.min(start + batch, usable);
        const feeds = inputs.map((one) => [one.name, rowsOf(arrays.get(one.name) as NpyArray, start, end)] as const);
        yield {
          label: `${label}, ${end - start === 1 ? `row ${start}` : `rows ${start}-${end - 1}`}`,
          feeds: Object.fromEntries(feeds),
          ...(labels === undefined ? {} : { labels: rowsOf(labels, start, end) }),
        };
      }
    },
  };
}

function checkArray(input: ValueInfo, array: NpyArray, bad: (fact: string) => CompressError): void {
  if (input.dtype !== undefined && input.dtype !== array.dtype) {
    throw bad(`has ${array.dtype} elements; the model takes ${input.dtype}`);
  }
  const { dims } = array;
  const wanted = input.dims;
  if (dims.length === 0 || (wanted !== undefined && wanted.length !== dims.length)) {
    throw bad(`has the shape [${dims.join(', ')}]; the model takes [${(wanted ?? ['rows']).map(String).join(', ')}]`);
  }
  const axis = wanted?.findIndex((dim, index) => index > 0 && typeof dim === 'number' && dim !== dims[index]) ?? -1;
  if (axis > 0) throw bad(`has ${dims[axis]} on axis ${axis}; the model takes ${String(wanted?.[axis])}`);
  if (array.dtype !== 'float32' && array.dtype !== 'float64') return;
  const data = array.data as Float32Array | Float64Array;
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const row = Math.floor(at / (data.length / (dims[0] as number)));
  throw bad(`row ${row} holds ${Number.isNaN(data[at]) ? 'NaN' : 'infinity'}`);
}

async function readArrays(path: string, inputs: readonly ValueInfo[]): Promise<Map<string, NpyArray>> {
  const bytes = await bytesOf(path);
  const files = new Map<string, Uint8Array>();
  if (bytes[0] === 0x93) {
    const [only, more] = inputs;
    if (only === undefined || more !== undefined) {
      const fact = `is one array, and the model has ${inputs.length} inputs`;
      throw new CompressError('data', path, fact, { hint: 'Save the arrays by name: numpy.savez.' });
    }
    files.set(only.name, bytes);
  } else {
    for (const [name, content] of await unzip(path, bytes)) files.set(name.replace(/\.npy$/, ''), content);
  }
  const arrays = new Map<string, NpyArray>();
  for (const [name, content] of files) {
    const array = parseNpy(content);
    if (typeof array === 'string') throw new CompressError('data', `${path}, input '${name}'`, array);
    arrays.set(name, array);
  }
  return arrays;
}

async function bytesOf(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw new CompressError('limit', path, `has ${size} bytes; at most ${MAX_BYTES} are read`);
    return await readFile(path);
  } catch (cause) {
    throw ioError(path, cause);
  }
}

async function unzip(path: string, bytes: Uint8Array): Promise<[string, Uint8Array][]> {
  const { unzipSync } = await import('fflate');
  let total = 0;
  const filter = (file: { originalSize: number }): boolean => {
    total += file.originalSize;
    if (total > MAX_BYTES) throw new CompressError('limit', path, `unpacks to more than ${MAX_BYTES} bytes`);
    return true;
  };
  try {
    return Object.entries(unzipSync(bytes, { filter }));
  } catch (cause) {
    if (cause instanceof CompressError) throw cause;
    throw new CompressError('data', path, 'is neither a .npz nor a .npy file, or is cut off', { cause });
  }
}

function list(arrays: ReadonlyMap<string, NpyArray>): string {
  return [...arrays.keys()].map((name) => `'${name}'`).join(', ') || 'none';
}
