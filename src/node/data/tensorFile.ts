import { bytesSource } from '../../bytes/source.ts';
import { CompressError } from '../../errors.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { LENGTH } from '../../onnx/fields.ts';
import { drive } from '../../onnx/reading.ts';
import { readTensor } from '../../onnx/readTensor.ts';
import { Skimmer } from '../../onnx/wire.ts';
import type { Field } from '../../onnx/wireField.ts';
import { fileSource } from '../files/source.ts';

/**
 * Maximum bytes of a file with one tensor: it is held in memory, where each number takes up to eight times its bytes.
 */
const MAX_TENSOR_FILE: number = 1 << 28;

/**
 * Reads a file that is one TensorProto, as in ONNX test data.
 * @throws CompressError `malformed`, `limit`, `io`
 */
export async function readTensorFile(path: string): Promise<Tensor> {
  const file = await fileSource(path);
  let bytes: Uint8Array;
  try {
    if (file.byteLength > MAX_TENSOR_FILE) {
      throw new CompressError(
        'limit',
        path,
        `has ${file.byteLength} bytes; tensor files may have at most ${MAX_TENSOR_FILE}`,
      );
    }
    bytes = await file.read(0, file.byteLength);
  } finally {
    await file.close();
  }
  const source = bytesSource(bytes, path);
  const context = { skim: new Skimmer(source), folder: undefined, dataFiles: new Map() };
  const whole: Field = { number: 0, wireType: LENGTH, tagStart: 0, start: 0, end: bytes.byteLength, low: 0, high: 0 };
  return drive(readTensor(context, whole, 'tensor'));
}
