import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CompressError, ioError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { checkShape } from '../../options/check.ts';
import { VERIFY } from '../../options/measure.ts';
import { type Bytes, type Column, npyColumn } from './column.ts';
import { jsonColumns } from './json.ts';
import { npzColumns } from './npz.ts';
import { pbColumns, TEST_SET } from './pb.ts';
import { Rows } from './rows.ts';
import type { DataSet, Sample } from './types.ts';

/** How to cut arrays into samples. */
export interface DataOptions {
  /** Rows per run, if the model leaves its first dimension open. */
  readonly batch?: number;
  /** Use only this many rows, from the first. */
  readonly samples?: number;
}

/** Maximum number of files in one folder. */
const MAX_DATA_SET_FILES = 100_000;

/**
 * Opens input data for a model. It is read while it is used: memory holds one sample at a time (of JSON and ONNX test
 * data, one file).
 *
 * - `.npz`: arrays by input name, rows along the first axis; `.npy`: the model's only input;
 * - `.json`: an object like a .npz, or a list of objects, each fed as it is;
 * - ONNX test data: a folder that contains `test_data_set_0`, …, or one of those, with `input_0.pb`, …;
 * - a folder of such files, in the order of their names, with numbers in names ordered by value.
 *
 * @param inputs - the inputs to feed: graph inputs without an initializer
 * @throws CompressError `data` that names file and input, if an array is missing or has another type or shape; while
 *   iterating, if a row holds NaN or infinity; `limit`, `io`
 * @example
 * await using model = await readModel('model.onnx');
 * const data = await openData('test.npz', await modelInputs(model), { batch: 8 });
 */
export async function openData(
  path: string,
  inputs: readonly ValueInfo[],
  options: DataOptions = {},
): Promise<DataSet> {
  const { samples, batch } = VERIFY.rows;
  checkShape('openData', options, { samples, batch });
  const { files, parts } = await open(path, inputs, options);
  const most = options.samples ?? Number.POSITIVE_INFINITY;
  const all = parts.reduce((sum, one) => sum + one.count, 0);
  const usable = Math.min(all, most);
  if (usable === 0) {
    const needed = parts.find((one) => one.needed > 1)?.needed ?? 1;
    const rows = parts.reduce((sum, one) => sum + one.rows, 0);
    throw new CompressError('data', path, `has ${rows} rows; at least ${needed} are needed`);
  }
  const among = files > 1 ? ` in ${files} files` : '';
  return {
    description: `${basename(path)}: ${usable} ${usable === 1 ? 'sample' : 'samples'}${among}`,
    count: countOf(parts, most),
    async *samples(): AsyncGenerator<Sample> {
      let left = most;
      for (const part of parts) {
        if (left <= 0) return;
        yield* part.samples(left);
        left -= part.count;
      }
    },
  };
}

/** Number of samples that `samples()` yields, limited to `most` rows. */
function countOf(parts: readonly Rows[], most: number): number {
  let [samples, left] = [0, most];
  for (const part of parts) {
    if (left <= 0) break;
    samples += part.samplesAmong(left);
    left -= part.count;
  }
  return samples;
}

async function open(
  path: string,
  inputs: readonly ValueInfo[],
  options: DataOptions,
): Promise<{ files: number; parts: Rows[] }> {
  const parts: Rows[] = [];
  const add = (columns: Map<string, Column>, where: string, label: string, whole = false): void => {
    parts.push(new Rows(columns, inputs, { where, label, whole, batch: options.batch }));
  };
  const list = await filesOf(path);
  for (const file of list) {
    const name = basename(file);
    if (file === path && list.length === 1 && (await isFolder(file)))
      add(await pbColumns(file, inputs), file, name, true);
    else if (TEST_SET.test(name)) add(await pbColumns(file, inputs), file, name, true);
    else if (/\.json$/i.test(name)) {
      const found = await jsonColumns(file, inputs);
      if (!Array.isArray(found)) add(found, file, name);
      else
        for (const [index, one] of found.entries())
          add(one, `${file}, sample ${index}`, `${name}, sample ${index}`, true);
    } else add(await arraysOf(file, inputs), file, name);
  }
  return { files: list.length, parts };
}

/** The path itself, or the files of a folder; a folder of ONNX test data counts as one file. */
async function filesOf(path: string): Promise<string[]> {
  if (!(await isFolder(path))) return [path];
  const names = await readdir(path).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  if (names.includes('input_0.pb')) return [path];
  const sets = names.filter((one) => TEST_SET.test(one));
  const files = sets.length > 0 ? sets : names.filter((one) => /\.(npz|npy|json)$/i.test(one));
  if (files.length === 0) {
    throw new CompressError('data', path, 'contains no .npz, .npy or .json file and no test_data_set_0');
  }
  if (files.length > MAX_DATA_SET_FILES) {
    throw new CompressError('limit', path, `has more than ${MAX_DATA_SET_FILES} files`);
  }
  const { compare } = new Intl.Collator('en', { numeric: true });
  return files.sort(compare).map((one) => join(path, one));
}

async function arraysOf(path: string, inputs: readonly ValueInfo[]): Promise<Map<string, Column>> {
  const { createReadStream } = await import('node:fs');
  const found = await stat(path).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  // Opening a FIFO would wait, and reading a device would not end.
  if (!found.isFile()) throw new CompressError('data', path, 'is not a regular file');
  const bytes: Bytes = {
    where: path,
    byteLength: found.size,
    async *open() {
      try {
        for await (const part of createReadStream(path)) yield part as Uint8Array;
      } catch (cause) {
        throw ioError(path, cause);
      }
    },
  };
  let head: Uint8Array = new Uint8Array(0);
  for await (const part of bytes.open()) {
    head = part;
    break;
  }
  if (head[0] === 0x50 && head[1] === 0x4b) return npzColumns(path);
  if (head[0] !== 0x93) {
    const hint = 'Data may be .npz, .npy, .json, ONNX test data, or a folder of these.';
    throw new CompressError('data', path, 'is neither a .npz nor a .npy file', { hint });
  }
  const [only, more] = inputs;
  if (only === undefined || more !== undefined) {
    const fact = `is one array, and the model has ${inputs.length} inputs`;
    throw new CompressError('data', path, fact, { hint: 'Save the arrays by name: numpy.savez.' });
  }
  return new Map([[only.name, await npyColumn({ ...bytes, where: `${path}, input '${only.name}'` })]]);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw ioError(path, cause);
  }
}
