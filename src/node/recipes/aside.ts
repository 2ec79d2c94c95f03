import type { Keep } from '../../activations/results.ts';
import type { Model } from '../../ir/model.ts';
import { type ScratchFile, scratchFile } from '../files/scratch.ts';

/** Smaller weights stay in memory. */
const LEAST: number = 2 ** 20;

/** A temporary file for weights of a model, until the model is closed. */
export function scratchOf(model: Model): ScratchFile {
  const file = scratchFile();
  model.onClose(() => file.close());
  return file;
}

/** Keeps low-bit weights in a temporary file until they are written. */
export function putAside(model: Model): Keep {
  const file = scratchOf(model);
  return async (bytes) => {
    if (bytes.byteLength >= LEAST) return file.keep(bytes);
    const own = bytes.slice();
    return async () => own;
  };
}
