import { cloneModel } from '../../ir/clone.ts';
import type { Model } from '../../ir/model.ts';
import { unpackFunctions } from './recognize.ts';
import { type Unpacked, unpackWeights } from './unpack.ts';

/** A model to look at, in which no weight is packed. */
export interface UnpackedView extends Unpacked {
  /** The model itself where nothing in it was packed. */
  readonly model: Model;
}

/**
 * The same as {@link unpackWeights}, for reading only: the model stays as it is. Of packed weights the masks are
 * read; the weights are computed in pieces when they are asked for.
 */
export async function unpackedView(model: Model): Promise<UnpackedView> {
  const sparse = model.graphs().some((graph) => graph.sparseInitializers.length > 0);
  if (!sparse && (await unpackFunctions(model)).size === 0) {
    return { model, changes: [], packed: new Map(), notes: [] };
  }
  const own = cloneModel(model);
  return { model: own, ...(await unpackWeights(own)) };
}
