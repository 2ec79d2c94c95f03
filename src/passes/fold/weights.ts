import { elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import type { Node } from '../../ir/node.ts';
import { derived, type Tensor } from '../../ir/tensor.ts';
import { constantName, madeFrom } from '../../layers/constant.ts';
import type { Change } from '../../layers/skip.ts';
import {
  at,
  channelSums,
  elements,
  type FoldedDType,
  type PerChannel,
  plus,
  rounded,
  scaleChannels,
  times,
  toNumbers,
  type WeightLayout,
} from './arithmetic.ts';
import type { Product } from './product.ts';

/** What a folded weight is computed from: `source · scale`, however many constants were folded into it. */
interface WeightRecipe {
  readonly source: Tensor;
  readonly scale: PerChannel;
}

/** What a folded bias is computed from: `source · scale + shift + sumFactor · ΣW`, W as it was in the file. */
interface BiasRecipe {
  readonly source: Tensor | undefined;
  readonly scale: PerChannel;
  readonly shift: PerChannel;
  readonly sumFactor: PerChannel;
}

/** Creates folded weights, which are computed while the model is written, and records them for the report. */
export class FoldedWeights {
  readonly #weights = new WeakMap<Tensor, WeightRecipe>();
  readonly #biases = new WeakMap<Tensor, BiasRecipe>();
  readonly #changes = new Map<Tensor, Change & { readonly kinds: ReadonlySet<string> }>();

  /** Every weight that was changed or added, and what was folded into it. */
  get changes(): Change[] {
    return [...this.#changes.values()].map(({ kinds, ...change }) => ({
      ...change,
      form: `${[...kinds].join(', ')} folded in`,
    }));
  }

  /**
   * `W'[c] = W[c] · scale[c]`.
   * @returns the new name of the product's weight
   */
  scaled(product: Product, scale: PerChannel, kind: string): string {
    const { tensor } = product.weight;
    const before = this.#weights.get(tensor);
    const recipe = { source: tensor, ...before, scale: before === undefined ? scale : times(before.scale, scale) };
    const { source } = recipe;
    const { dtype, layout } = product;
    const name = this.#nameOf(product, product.weight, product.node, tensor.dims);
    const compute = async () => scaleChannels(elements(await source.load(), dtype), layout, recipe.scale);
    const made = madeFrom(product.weight, derived(name, dtype, tensor.dims, compute, tensor.extra));
    this.#weights.set(made, recipe);
    this.#put(product, product.weight, made, kind);
    return name;
  }

  /**
   * `b'[c] = (beta · b[c] + fed · alpha · ΣW[c]) · scale[c] + shift[c]`, where `fed` is a constant that was added to
   * the product's input, and W the weight before `scale` is folded in.
   * @returns the new name of the product's bias, which is to be read with beta 1
   */
  biased(product: Product, change: { scale?: PerChannel; shift?: PerChannel; fed?: number }, kind: string): string {
    const { bias, weight, channels, dtype, layout } = product;
    const { scale = 1, shift = 0, fed = 0 } = change;
    const tensor = bias?.held?.tensor;
    const before = (tensor && this.#biases.get(tensor)) ?? { source: tensor, scale: 1, shift: 0, sumFactor: 0 };
    const scaledBefore = this.#weights.get(weight.tensor);
    const added = fed === 0 ? 0 : times(scaledBefore?.scale ?? 1, fed * product.alpha);
    const isFed = before.sumFactor !== 0 || fed !== 0;
    const recipe: BiasRecipe = {
      source: product.beta === 0 ? undefined : before.source,
      scale: times(times(before.scale, product.beta), scale),
      shift: plus(times(times(before.shift, product.beta), scale), shift),
      // The number 0 says that W is not needed.
      sumFactor: isFed ? times(plus(times(before.sumFactor, product.beta), added), scale) : 0,
    };
    const unscaled = scaledBefore?.source ?? weight.tensor;
    const dims = tensor !== undefined && elementCount(tensor.dims) === channels ? tensor.dims : [channels];
    const slot = bias?.node ?? product.node;
    const name =
      bias?.held === undefined
        ? product.graph.uniqueName(`${constantName(weight)}_bias`)
        : this.#nameOf(product, bias.held, slot, dims);
    const made = derived(
      name,
      dtype,
      dims,
      () => computeBias(recipe, unscaled, layout, channels, dtype),
      tensor?.extra,
    );
    this.#biases.set(made, recipe);
    this.#put(product, bias?.held, made, kind);
    return name;
  }

  /** The old name if nothing else reads the weight, otherwise a new one. */
  #nameOf(product: Product, held: Constant, reader: Node, dims: readonly number[]): string {
    const name = constantName(held);
    const own = isOwn(held, product.graph, reader) && dims === held.tensor.dims;
    return own ? name : product.graph.uniqueName(`${name}_folded`);
  }

  /** Replaces the old tensor, or adds the new one to the product's graph if the old one is still needed. */
  #put(product: Product, old: Constant | undefined, made: Tensor, kind: string): void {
    const same = old !== undefined && constantName(old) === made.name ? old : undefined;
    const graph = same?.graph ?? product.graph;
    graph.setInitializer(made);
    const earlier = old === undefined ? undefined : this.#changes.get(old.tensor);
    if (old !== undefined) this.#changes.delete(old.tensor);
    const { node } = product;
    this.#changes.set(made, {
      weight: made.name,
      nodes: [node.name || (node.outputs[0] ?? '')],
      opType: node.opType,
      dtype: made.dtype,
      dims: made.dims,
      elements: elementCount(made.dims),
      before: earlier?.before ?? same?.tensor.byteLength ?? 0,
      after: made.byteLength,
      kinds: new Set([...(earlier?.kinds ?? []), kind]),
    });
  }
}

/** Whether the weight is an initializer that only this node reads. */
function isOwn(held: Constant, graph: Graph, reader: Node): boolean {
  if (held.node !== undefined) return false;
  const [use, other] = held.graph.uses(constantName(held));
  return other === undefined && use?.node === reader && use.graph === graph;
}

async function computeBias(
  recipe: BiasRecipe,
  weight: Tensor,
  layout: WeightLayout,
  channels: number,
  dtype: FoldedDType,
): Promise<Float32Array | Float64Array> {
  const { source } = recipe;
  const old = source === undefined ? undefined : toNumbers(await source.load(), source.dtype);
  const fed = recipe.sumFactor !== 0;
  const sums = fed ? channelSums(elements(await weight.load(), dtype), layout) : undefined;
  const bias = Float64Array.from({ length: channels }, (_, channel) => {
    const was = old === undefined ? 0 : (old[old.length === 1 ? 0 : channel] as number) * at(recipe.scale, channel);
    const sum = sums === undefined ? 0 : (sums[channel] as number) * at(recipe.sumFactor, channel);
    return was + at(recipe.shift, channel) + sum;
  });
  return rounded(bias, dtype);
}
