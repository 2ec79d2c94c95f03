import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CompressError, ioError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { type Column, heldColumn } from './column.ts';
import { readTensorFile } from './tensorFile.ts';

/** The names of folders with ONNX test data. */
export const TEST_SET: RegExp = /^test_data_set_\d+$/;
const INPUT = /^input_(\d+)\.pb$/;

/**
 * One set of ONNX test data: `input_0.pb`, `input_1.pb`, …, each a TensorProto. A tensor is for the input with its
 * name, otherwise for the input with its number.
 * @throws CompressError `data`, `malformed`, `io`
 * @see https://github.com/onnx/onnx/blob/main/docs/OnnxBackendTest.md
 */
export async function pbColumns(path: string, inputs: readonly ValueInfo[]): Promise<Map<string, Column>> {
  const columns = new Map<string, Column>();
  const files = await readdir(path).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  const names = new Set(inputs.map((one) => one.name));
  for (const file of files) {
    const number = INPUT.exec(file)?.[1];
    if (number === undefined) continue;
    const tensor = await readTensorFile(join(path, file));
    const name = names.has(tensor.name) ? tensor.name : (inputs[Number(number)]?.name ?? tensor.name);
    if (columns.has(name)) throw new CompressError('data', path, `has two tensors for the input '${name}'`);
    columns.set(name, heldColumn(tensor.dtype, tensor.dims, await tensor.load()));
  }
  if (columns.size > 0 || inputs.length === 0) return columns;
  throw new CompressError('data', path, 'has no input_0.pb');
}
