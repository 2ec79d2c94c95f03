import { CompressError } from '../../errors.ts';
import type { DType } from '../../ir/dtype.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { type Column, heldColumn } from './column.ts';
import { elementsFrom } from './convert.ts';
import { readJson } from './jsonFile.ts';
import { LABELS } from './types.ts';

/** Maximum bytes of a JSON file: a number of two bytes in the file takes tens in memory before it is converted. */
export const MAX_JSON_BYTES: number = 1 << 26;
/** Maximum number of dimensions of an array. */
const MAX_JSON_RANK = 32;

/**
 * Arrays of a .json file: `{ "x": [[…], …] }` with rows on the first axis, or a list of such objects, each fed as it
 * is.
 * @param inputs - of the model; they determine the types of the numbers
 * @returns the arrays of one object, or of each in the list
 * @throws CompressError `data` naming file, sample and input
 */
export async function jsonColumns(
  path: string,
  inputs: readonly ValueInfo[],
): Promise<Map<string, Column> | Map<string, Column>[]> {
  const content = await readJson(
    path,
    MAX_JSON_BYTES,
    (size) => {
      const hint = 'Save larger data as a .npz file.';
      return new CompressError('limit', path, `has ${size} bytes; JSON files may have at most ${MAX_JSON_BYTES}`, {
        hint,
      });
    },
    (cause) => new CompressError('data', path, `is not JSON: ${cause.message}`, { cause }),
  );
  if (!Array.isArray(content)) return objectColumns(content, inputs, path);
  return content.map((one, index) => objectColumns(one, inputs, `${path}, sample ${index}`, true));
}

function objectColumns(
  content: unknown,
  inputs: readonly ValueInfo[],
  where: string,
  single = false,
): Map<string, Column> {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new CompressError('data', where, 'is not an object with an array for each input');
  }
  const columns = new Map<string, Column>();
  for (const [name, value] of Object.entries(content)) {
    const input = inputs.find((one) => one.name === name);
    const dtype = input?.dtype ?? (name === LABELS ? 'int64' : 'float32');
    const place = `${where}, input '${name}'`;
    const column = columnOf(value, dtype, place);
    const dims = stated(column.dims, input?.dims, single, place);
    columns.set(name, { ...column, dims });
  }
  return columns;
}

/**
 * The intended dims. One sample may omit the batch axis. JSON also cannot express dims after an empty axis: `[[], []]`
 * may be [2, 0, 8], so the model must state their lengths.
 */
function stated(dims: readonly number[], wanted: ValueInfo['dims'], single: boolean, where: string): readonly number[] {
  if (wanted === undefined) return dims;
  const isShort = dims.length < wanted.length && dims.at(-1) === 0 && (single || dims.length > 1);
  const bare = [1, ...dims];
  if (!isShort) return single && bare.length === wanted.length ? bare : dims;
  let open: number | undefined;
  for (const all of single ? [dims, bare] : [dims]) {
    const fits = all.every((dim, at) => typeof wanted[at] !== 'number' || wanted[at] === dim || (at === 0 && !single));
    if (!fits || all.length > wanted.length) continue;
    const rest = wanted.slice(all.length);
    const unknown = rest.findIndex((dim) => typeof dim !== 'number');
    if (unknown < 0) return [...all, ...(rest as number[])];
    open ??= all.length + unknown;
  }
  if (open === undefined) return dims;
  const fact = `is empty, and the model does not state the length of its axis ${open}`;
  throw new CompressError('data', where, fact, { hint: 'A .npz file stores the shape.' });
}

function columnOf(value: unknown, dtype: DType, where: string): Column {
  const bad = (fact: string): CompressError => new CompressError('data', where, fact);
  const dims: number[] = [];
  for (let one = value; Array.isArray(one); one = one[0]) {
    if (dims.length === MAX_JSON_RANK) throw bad(`is nested more than ${MAX_JSON_RANK} levels deep`);
    dims.push(one.length);
  }
  const list = dims.length === 0 ? [value] : (value as unknown[]).flat(MAX_JSON_RANK);
  if (!isEven(value, dims)) throw bad(`not all of its rows have the shape [${dims.slice(1).join(', ')}]`);
  const numbers = list.map((one) => {
    if (typeof one === 'number') return one;
    if (typeof one === 'boolean') return one ? 1 : 0;
    throw bad(`holds ${JSON.stringify(one)?.slice(0, 40) ?? 'nothing'}, which is not a number`);
  });
  const whole = !dtype.startsWith('float');
  const broken = whole ? numbers.find((one) => !Number.isSafeInteger(one)) : undefined;
  if (broken !== undefined) throw bad(`contains ${broken}; the model expects ${dtype}`);
  const made = elementsFrom(dtype, numbers.length, (index) => numbers[index] as number);
  if (made === undefined) throw bad(`cannot be converted from numbers to ${dtype}, which the model expects`);
  if (whole && dtype !== 'int64') {
    const wrapped = numbers.findIndex((one, index) => Number(made[index]) !== one);
    if (wrapped >= 0) throw bad(`contains ${numbers[wrapped]}; the model expects ${dtype}`);
  }
  return heldColumn(dtype, dims, new Uint8Array(made.buffer));
}

/** Whether every array at the same depth has the same length, and only the deepest contain numbers. */
function isEven(value: unknown, dims: readonly number[]): boolean {
  if (!Array.isArray(value)) return dims.length === 0;
  return value.length === dims[0] && value.every((one) => isEven(one, dims.slice(1)));
}
