import { lstat } from 'node:fs/promises';
import { modelOrigins } from '../../onnx/origin.ts';
import { readModel } from '../model.ts';

/**
 * The path by which ONNX Runtime finds the data of a model. It looks beside the path it is given; where that is a link
 * and the data lies beside the file it leads to, it must be given that file.
 */
export async function pathToRun(path: string): Promise<string> {
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  // What we cannot read, ONNX Runtime may; or it says what is wrong.
  const model = isLink ? await readModel(path).catch(() => undefined) : undefined;
  if (model === undefined) return path;
  const found = modelOrigins.get(model)?.folder?.modelPath ?? path;
  await model.close();
  return found;
}
