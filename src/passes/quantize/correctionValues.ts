import type { Model } from '../../ir/model.ts';
import { isOp } from '../../ir/node.ts';
import { Places } from '../../ir/places.ts';
import { LAYERS, layerOf } from './correct.ts';
import { allOf, type QuantizeOptions } from './options.ts';
import { selectWeights } from './select.ts';

/**
 * The activations whose channel means bias correction needs (`means` of {@link QuantizeOptions}), each with its channel
 * axis; negative counts from the end.
 */
export function correctionValues(model: Model, options: QuantizeOptions = {}): Map<string, number> {
  const settled = { ...allOf(options), weightsOnly: true, format: 'qdq' as const };
  const places = new Places(model);
  const values = new Map<string, number>();
  for (const use of selectWeights(model, { ...settled, only: LAYERS })) {
    const layer = layerOf(places, use);
    if (layer !== undefined) values.set(layer.key, isOp(use.node, 'Gemm') ? -1 : 1);
  }
  return values;
}
