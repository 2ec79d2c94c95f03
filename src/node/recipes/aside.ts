import type { Keep } from '../../activations/results.ts';
import type { Model } from '../../ir/model.ts';
import { type ScratchFile, scratchFile } from '../files/scratch.ts';

/** Fewer bytes stay in memory. */
const LEAST: number = 2 ** 20;

/** A temporary file for weights of a model, until that is closed. */
export function scratchOf(model: Model): ScratchFile {
  const file = scratchFile();
  model.onClose(() => file.close());
  return file;
}

/** Puts weights in few bits into a temporary file until they are written. */
export function putAside(model: Model): Keep {
  const file = scratchOf(model);
  return async (bytes) => {
    if (bytes.byteLength >= LEAST) return file.keep(bytes);
    const own = bytes.slice();
    return async () => own;
  };
}
