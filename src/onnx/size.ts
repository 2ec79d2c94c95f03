import type { Model } from '../ir/model.ts';
import { modelOrigins } from './origin.ts';

/** Bytes of the file a model was read from, its data files included; 0 for a model that was not read. */
export function inputByteLength(model: Model): number {
  const origin = modelOrigins.get(model);
  if (origin === undefined) return 0;
  return [...origin.dataFiles.values()].reduce((sum, source) => sum + source.byteLength, origin.source.byteLength);
}
