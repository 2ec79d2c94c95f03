import { cloneModel } from '../../ir/clone.ts';
import type { Model } from '../../ir/model.ts';
import { unpackFunctions } from './recognize.ts';
import { type Unpacked, unpackWeights } from './unpack.ts';

/** A read-only view of a model in which no weight is packed. */
export interface UnpackedView extends Unpacked {
  /** The model itself if nothing in it is packed. */
  readonly model: Model;
}

/**
 * The same as {@link unpackWeights}, for reading only: the model stays as it is. The masks of packed weights are read;
 * the weights are computed in chunks when they are read.
 */
export async function unpackedView(model: Model): Promise<UnpackedView> {
  const sparse = model.graphs().some((graph) => graph.sparseInitializers.length > 0);
  if (!sparse && (await unpackFunctions(model)).size === 0) {
    return { model, changes: [], packed: new Map(), notes: [] };
  }
  const own = cloneModel(model);
  return { model: own, ...(await unpackWeights(own)) };
}
