import type { Model } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { ownBias } from '../../layers/bias.ts';
import { dropUnused } from '../../layers/constant.ts';
import { usesByTensor } from '../../layers/select.ts';
import { BiasCorrection, LAYERS } from '../quantize/correct.ts';
import { allOf } from '../quantize/options.ts';
import { selectWeights } from '../quantize/select.ts';
import type { Fits } from './constants.ts';
import { shorten } from './forms.ts';
import type { Resolved } from './options.ts';

/**
 * Corrects biases for the shift that rounding to 16 bits causes in the mean of each output. They stay float32, because
 * rounding would undo the correction.
 * @param stored - gives the weights that are to be stored in 16 bits
 * @returns the biases, and a note
 */
export async function correctBiases(
  model: Model,
  stored: () => ReadonlySet<Tensor>,
  fits: Fits,
  { dtype, means }: Resolved,
): Promise<{ readonly biases: ReadonlySet<Tensor>; readonly notes: readonly string[] }> {
  const biases = new Set<Tensor>();
  if (means.size === 0) return { biases, notes: [] };
  const weights = stored();
  const correction = new BiasCorrection(model, means);
  const uses = selectWeights(model, { ...allOf({}), weightsOnly: true, only: LAYERS });
  for (const [tensor, [use, ...others]] of usesByTensor(uses)) {
    if (use === undefined || others.length > 0 || !weights.has(tensor)) continue;
    const short = await shorten(use.held, dtype, fits);
    if ('reason' in short) continue;
    const { graph, node } = use;
    const bias = await correction.biasFor(use, short.encoded);
    if (bias === undefined) continue;
    const old = graph.constant(ownBias(node) ?? '');
    const [x = '', w = ''] = node.inputs;
    graph.setInitializer(bias);
    graph.replaceNode(node, { ...node, inputs: [x, w, bias.name] });
    if (old !== undefined) dropUnused(old, model.trainingNames);
    biases.add(bias);
  }
  model.freeInitializers();
  return { biases, notes: correction.note === undefined ? [] : [correction.note] };
}
