import { dirname, resolve } from 'node:path';
import type { Model } from '../../ir/model.ts';
import { modelOrigins } from '../../onnx/origin.ts';

/** Paths of the data files next to a model. */
export function dataFilesOf(model: Model, path: string): string[] {
  return [...(modelOrigins.get(model)?.dataFiles.keys() ?? [])].map((location) => resolve(dirname(path), location));
}
