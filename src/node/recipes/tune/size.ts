import { inputByteLength } from '../../../onnx/size.ts';
import { readModel } from '../../model.ts';

/** Bytes of a model, its data files included. */
export async function sizeOf(path: string): Promise<number> {
  const model = await readModel(path);
  const bytes = inputByteLength(model);
  await model.close();
  return bytes;
}
