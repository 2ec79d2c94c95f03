import { modelOrigins } from '../../onnx/origin.ts';
import { readModel } from '../model.ts';

/**
 * The path by which ONNX Runtime finds the data of a model whose path is a link. It looks beside the path it is given;
 * where the data lies beside the file the link leads to, it must be given that file.
 */
export async function resolvedModelPath(path: string): Promise<string> {
  // What we cannot read, ONNX Runtime may; or it says what is wrong.
  const model = await readModel(path).catch(() => undefined);
  if (model === undefined) return path;
  const found = modelOrigins.get(model)?.folder?.modelPath ?? path;
  await model.close();
  return found;
}
