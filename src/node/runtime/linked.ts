import { modelOrigins } from '../../onnx/origin.ts';
import { readModel } from '../model.ts';

/**
 * The path for ONNX Runtime to load a model whose path may be a link. ONNX Runtime looks for data next to the given
 * path; if the data is next to the link's target, it must be given the target.
 */
export async function resolvedModelPath(path: string): Promise<string> {
  // ONNX Runtime may be able to read the file, or reports what is wrong.
  const model = await readModel(path).catch(() => undefined);
  if (model === undefined) return path;
  const found = modelOrigins.get(model)?.folder?.modelPath ?? path;
  await model.close();
  return found;
}
