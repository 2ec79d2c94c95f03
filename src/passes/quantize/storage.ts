import { elementCount } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { weightAxes } from '../../layers/axes.ts';
import { ownBias } from '../../layers/bias.ts';
import { constantName } from '../../layers/constant.ts';
import { RECURRENT_INPUTS, type WeightUse } from '../../layers/select.ts';
import { type MeasuredWay, measureWays, predictedWays } from '../../schemes/measured.ts';
import { PER_TENSOR } from '../../schemes/scheme.ts';
import type { StoredForm, StoredWay } from '../../schemes/ways.ts';
import type { ResolvedOptions } from './options.ts';
import { isProduct } from './pays.ts';
import { spend } from './spend.ts';
import { isTerm } from './terms.ts';

/** A use whose weight is converted to float when the model is loaded, and its coarsest scales. */
export interface StoredUse extends Pick<StoredForm, 'coarsest' | 'rows'> {
  readonly use: WeightUse;
}

/** Total relative noise of all stored weights above which outputs are ruined. */
const RUINED = 0.01;
/** The least noise that bytes must remove: this much per 1 % of the floats. */
const WORTH = 0.0003;

/** How a weight may be stored, by the options of the run. */
export function storedForm(
  { coarsest, rows }: Pick<StoredForm, 'coarsest' | 'rows'>,
  { dtype, perTensor, reduceRange }: ResolvedOptions,
): StoredForm {
  return perTensor
    ? { dtype, reduceRange, coarsest: PER_TENSOR, rows: undefined }
    : { dtype, reduceRange, coarsest, rows };
}

/**
 * Decides how each weight is stored, by bytes and noise of all ways for all weights: the least noise in a file that is
 * not larger than with ONNX Runtime's 8-bit quantizer ({@link plainBytes}).
 * @param others - tensors also read as integers, which do not stay float
 */
export async function planStorage(
  stored: readonly StoredUse[],
  others: ReadonlySet<Tensor>,
  options: ResolvedOptions,
): Promise<ReadonlyMap<Tensor, StoredWay>> {
  if (options.perTensor) return new Map();
  const byTensor = new Map<Tensor, StoredUse>();
  for (const one of stored) if (!byTensor.has(one.use.held.tensor)) byTensor.set(one.use.held.tensor, one);
  const measured: { readonly tensor: Tensor; readonly ways: readonly MeasuredWay[] }[] = [];
  for (const [tensor, one] of byTensor) {
    const form = storedForm(one, options);
    const name = constantName(one.use.held);
    const whole = options.choosing === true && !others.has(tensor);
    const ways = options.unread
      ? predictedWays(tensor, form, name, whole)
      : await measureWays(tensor, form, name, whole);
    if (ways !== undefined) measured.push({ tensor, ways: isTerm(one.use) ? within(ways, one.use.most) : ways });
  }
  const offers = measured.map(({ ways }) => ways.map(({ way: { bytes }, noise }) => ({ bytes, noise })));
  const finite = new Set(measured.map(({ tensor }) => tensor));
  const weights = stored.map(({ use }) => use).filter((use) => finite.has(use.held.tensor) && !isTerm(use));
  // The other quantizer leaves tables float: what they save is not spent on weights.
  const terms = measured.flatMap(({ tensor, ways }) =>
    isTerm((byTensor.get(tensor) as StoredUse).use) ? Math.min(...ways.map(({ way }) => way.bytes)) : [],
  );
  const room = terms.reduce((sum, bytes) => sum + bytes, plainBytes(weights));
  const floats = [...byTensor.keys(), ...others].reduce((sum, { byteLength }) => sum + byteLength, 0);
  const chosen = spend(offers, { room, worth: WORTH / (floats / 100), ruined: RUINED });
  return new Map(
    measured.map(({ tensor, ways }, index) => [tensor, (ways[chosen[index] as number] as MeasuredWay).way]),
  );
}

/** The ways for a table: the finest integers or better, if these have at most so much noise over signal. */
function within(ways: readonly MeasuredWay[], most: number): readonly MeasuredWay[] {
  const best = (some: readonly MeasuredWay[]): MeasuredWay =>
    some.reduce((best, one) => (one.noise < best.noise ? one : best));
  const integers = best(ways.filter(({ way }) => way.kind === 'integers'));
  const found = [integers, ...ways.filter(({ way }) => way.kind !== 'integers')].filter(({ noise }) => noise <= most);
  return found.length > 0 ? found : [best(ways)];
}

/**
 * What `quantize_dynamic` of onnxruntime.quantization makes of weights: 1 byte for each element, scales and zero
 * points, and instead of a node
 *
 * ```
 * x ── DynamicQuantizeLinear ── ConvInteger(W_quantized) ── Cast ── Mul(x_scale · W_scale) ── Add(Reshape(b)) ── y
 * ```
 *
 * with names derived from those of x, W, y and the node. A low estimate.
 */
export function plainBytes(uses: readonly WeightUse[]): number {
  const tensors = new Map<Tensor, number>();
  const activations = new Map<Graph, Set<string>>();
  let nodes = 0;
  for (const use of uses) {
    const { held, graph, node } = use;
    const { dims } = held.tensor;
    const [x = '', y = ''] = [node.inputs[isProduct(use) ? 1 - use.index : 0], node.outputs[0]];
    const name = constantName(held).length;
    const scales = isProduct(use) ? (dims[weightAxes(use, dims)?.out ?? 0] ?? 1) : 1;
    tensors.set(held.tensor, elementCount(dims) + 5 * scales + 2 * name + 60);
    // ONNX Runtime replaces a recurrent node by a single node of its own.
    if (lookup(RECURRENT_INPUTS, node.opType) !== undefined) continue;
    const seen = activations.get(graph) ?? new Set<string>();
    activations.set(graph, seen);
    if (!seen.has(x)) nodes += 5 * x.length + 75;
    seen.add(x);
    nodes += 2 * x.length + 2 * name + 5 * y.length + 4 * node.name.length + 325;
    if (ownBias(node) !== undefined) nodes += 8 * y.length + 250;
  }
  return nodes + [...tensors.values()].reduce((sum, bytes) => sum + bytes, 0);
}
