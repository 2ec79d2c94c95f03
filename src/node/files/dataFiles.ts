import { dirname, resolve } from 'node:path';
import type { Model } from '../../ir/model.ts';
import { modelOrigins } from '../../onnx/origin.ts';

/** Paths of the files beside a model that hold its weights. */
export function dataFilesOf(model: Model, path: string): string[] {
  return [...(modelOrigins.get(model)?.dataFiles.keys() ?? [])].map((location) => resolve(dirname(path), location));
}
