import type { ProductSignal, ProductSignals } from '../../activations/ranges.ts';
import { cloneModel } from '../../ir/clone.ts';
import type { Model } from '../../ir/model.ts';
import { createNode, type Node } from '../../ir/node.ts';
import { Places } from '../../ir/places.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { decibels } from '../../kernels/decibels.ts';
import { type WeightUse, weightOf } from '../../layers/select.ts';
import { CONTRIB } from '../../schemes/nbits.ts';
import { PER_AXIS_OPSET } from '../../schemes/opset.ts';
import { castNode } from '../../schemes/write.ts';
import { DistinctScales } from '../../targets/scales.ts';
import { raiseOpset } from '../opset/index.ts';
import { settleEinsums } from './einsum.ts';
import { Emitter } from './emit.ts';
import { type ProductForm, productKey } from './floor.ts';
import { Forms } from './forms.ts';
import { type Choices, choose, headOf, neededBy } from './low/choose.ts';
import { LowForms } from './low/write.ts';
import { isLog, wayToLog } from './meets.ts';
import { isLow, lookedAt, type ResolvedOptions } from './options.ts';
import { isConv, isProduct, neededOpset, pays, type Rows, rowsOf, withinOpset } from './pays.ts';
import { settleReshapes } from './reshapes.ts';
import { selectWeights } from './select.ts';

/** A trial of one form of a product: the values that hold the two sums of squares. */
interface Trial {
  /** The name of the product in the whole model. */
  readonly key: string;
  readonly form: ProductForm;
  readonly signal: string;
  readonly noise: string;
}

/** A model that also computes its products in other forms, each separately. */
export interface Trials {
  readonly model: Model;
  /** Scalar outputs to fetch from the model. */
  readonly values: readonly string[];
  /** @param means - of these values over all runs; values without results are missing */
  signals(means: ReadonlyMap<string, number>): ProductSignals;
}

/** The cap of reported SQNR, in dB, for nearly exact products. */
const MOST = 200;

/**
 * Adds quantized copies of products, on integers and with a stored weight, to a copy of the model, and computes their
 * loss. If a Log follows, the nodes between are copied too, and the loss is measured after the Log. A Conv is tried
 * only if a Log follows: with a stored weight.
 *
 * ```
 * before   x ── MatMul(W) ── y ── Clip ── Log ── l
 *
 * beside   x ── Q ── DQ ── MatMul(W_quantized ── DQ) ── Clip ── Log ── l'      signal Σ (l − mean)², noise Σ (l − l')²
 * ```
 *
 * All other nodes read the float values, so each figure is that of a single product.
 *
 * @param options - those of the run; with `weightsOnly`, and for fewer than 8 bits, only products before a Log are
 *   tried, the latter in few bits too, with codes searched without data
 */
export async function tryProducts(model: Model, options: ResolvedOptions): Promise<Trials> {
  const copy = cloneModel(model);
  const trials = await new Trying(copy, { ...options, trying: true }).run();
  return {
    model: copy,
    values: trials.flatMap(({ signal, noise }) => [signal, noise]),
    signals(means) {
      const signals = new Map<string, ProductSignal>();
      for (const { key, form, signal, noise } of trials) {
        const [power, error] = [means.get(signal), means.get(noise)];
        if (power === undefined || error === undefined) continue;
        const kept = Math.min(MOST, decibels(power, error), signals.get(key)?.[form] ?? MOST);
        signals.set(key, { ...signals.get(key), [form]: kept });
      }
      return signals;
    },
  };
}

/** A product, with the nodes up to and including its logarithms. */
interface Product {
  readonly use: WeightUse;
  readonly way: readonly Node[];
}

/** Products, and the least number of rows of each. */
interface Found {
  readonly products: readonly Product[];
  readonly uses: readonly WeightUse[];
  readonly rows: Rows;
}

class Trying {
  readonly #model: Model;
  readonly #options: ResolvedOptions;
  #places: Places;

  constructor(model: Model, options: ResolvedOptions) {
    this.#model = model;
    this.#options = options;
    this.#places = new Places(model);
  }

  async run(): Promise<Trial[]> {
    const model = this.#model;
    const options = this.#options;
    await settleReshapes(model, lookedAt(options));
    settleEinsums(model);
    let found = await this.#found();
    const needed = Math.max(neededOpset(found.uses, options, found.rows), neededBy(this.#choices(found)));
    if (found.uses.length > 0 && model.opset < needed) {
      await raiseOpset(model, Math.max(needed, PER_AXIS_OPSET));
      found = await this.#found();
    }
    const { settled } = withinOpset(model, options);
    this.#places = new Places(model);
    const { products, rows } = found;
    const log = products.filter(({ way }) => way.length > 0);
    const choices = this.#choices(found);
    const stored = { ...settled, ...(settled.weightsOnly ? {} : { weightsOnly: true, plain: true }) };
    const tried = settled.weightsOnly ? [] : products.filter(({ use }) => isProduct(use));
    const dynamic = tried.filter(({ use }) => pays(use, settled, rows));
    return [
      ...(await this.#try(dynamic, 'integers', (again) => this.#forms(again, settled))),
      ...(await this.#try(log, 'stored', (again) => this.#forms(again, stored))),
      ...(neededBy(choices) > model.opset ? [] : await this.#tryLow(log, choices)),
    ];
  }

  /** The products to try, with the nodes up to their logarithms. */
  async #found(): Promise<Found> {
    const onlyLog = isLow(this.#options) || this.#options.weightsOnly;
    const products: Product[] = [];
    for (const use of selectWeights(this.#model, this.#options)) {
      const tried = isProduct(use) || isConv(use);
      if (!tried || this.#places.hidden(use.graph) !== undefined) continue;
      // Before copies exist that read the same values.
      const way = wayToLog(use.graph, use.node);
      if (way.length > 0 || (isProduct(use) && !onlyLog)) products.push({ use, way });
    }
    const uses = products.map(({ use }) => use);
    return { products, uses, rows: await rowsOf(this.#model, uses) };
  }

  /** The weights in fewer than 8 bits, if requested. */
  #choices({ uses, rows }: Found): Choices {
    const options = this.#options;
    if (!isLow(options)) return new Map();
    const every = selectWeights(this.#model, { ...options, choosing: false, smallest: new Set(), minElements: 0 });
    const known = { tied: new Set<Tensor>(), head: headOf(every)?.tensor, emitter: new Emitter() };
    return choose(uses, options, rows, known).choices;
  }

  async #forms(again: readonly WeightUse[], options: ResolvedOptions): Promise<Forms> {
    const known = { tied: new Set<Tensor>(), inFloat: new Set<Tensor>(), rows: await rowsOf(this.#model, again) };
    return new Forms(new Emitter(), options, new DistinctScales(), known);
  }

  async #tryLow(products: readonly Product[], choices: Choices): Promise<Trial[]> {
    const few = products.filter(({ use }) => choices.has(use.held.tensor));
    if (few.length === 0) return [];
    const settings = { choices, method: 'mse', unread: false, keep: undefined, ahead: new Map() } as const;
    const forms = new LowForms(new Emitter(), { ...settings, int8: this.#options });
    const trials = await this.#try(few, 'low', async () => forms);
    if ([...choices.values()].some(({ form }) => form === 'nbits')) {
      this.#model.addOpset(CONTRIB.domain, CONTRIB.version);
    }
    return trials;
  }

  /** @param formsFor - creates the forms for the copies */
  async #try(
    products: readonly Product[],
    form: ProductForm,
    formsFor: (again: readonly WeightUse[]) => Promise<Pick<Forms, 'apply' | 'end'>>,
  ): Promise<Trial[]> {
    const copies = products.map((one) => ({ use: one.use, ...copied(one) }));
    const again = copies.flatMap(({ node, use }) => {
      const found = weightOf(use.graph, node);
      return found === undefined || 'reason' in found ? [] : [found];
    });
    const forms = await formsFor(again);
    const trials: Trial[] = [];
    for (const { use, node, pairs } of copies) {
      const found = again.find((one) => one.node === node);
      if (found === undefined || 'reason' in (await forms.apply(found))) continue;
      const key = productKey(this.#places, use.graph, use.node);
      for (const pair of pairs) trials.push({ key, form, ...this.#loss(use, pair) });
    }
    await forms.end();
    return trials;
  }

  /** Adds nodes that sum up the loss of a copy. */
  #loss({ graph, dtype }: WeightUse, { value, copy, log }: Pair): Pick<Trial, 'signal' | 'noise'> {
    const add = (opType: string, inputs: readonly string[]): string => {
      const output = graph.uniqueName(`${copy}_${opType}`);
      graph.insertLast(createNode({ opType, inputs, outputs: [output] }));
      return output;
    };
    const float = (of: string): string => {
      if (dtype === 'float32') return of;
      const output = graph.uniqueName(`${of}_float32`);
      graph.insertLast(castNode(graph, of, output, 'float32'));
      return output;
    };
    const own = float(value);
    const error = add('Sub', [own, float(copy)]);
    // A factor before the Log adds a constant to its output, which is no signal: the mean is left out.
    const signal = log ? add('Sub', [own, add('ReduceMean', [own])]) : own;
    return { signal: add('ReduceSumSquare', [signal]), noise: add('ReduceSumSquare', [error]) };
  }
}

/** A value and its copy, to be compared. */
interface Pair {
  readonly value: string;
  readonly copy: string;
  /** Whether a Log computes it. */
  readonly log: boolean;
}

/** Copies a product to the end of its graph, with the nodes up to its logarithms. */
function copied({ use: { graph, node: product }, way }: Product): { readonly node: Node; readonly pairs: Pair[] } {
  const names = new Map<string, string>();
  const copyOf = (node: Node): Node => {
    for (const one of node.outputs) if (one !== '') names.set(one, graph.uniqueName(`${one}_tried`));
    return {
      ...node,
      name: graph.uniqueName(`${node.name}_tried`),
      inputs: node.inputs.map((one) => names.get(one) ?? one),
      outputs: node.outputs.map((one) => names.get(one) ?? one),
    };
  };
  const node = copyOf(product);
  const nodes = [node, ...way.map(copyOf)];
  graph.insertLast(...nodes);
  const ends = way.filter(isLog);
  const pairs = (ends.length > 0 ? ends : [product]).map(({ outputs: [value = ''] }) => {
    return { value, copy: names.get(value) as string, log: ends.length > 0 };
  });
  return { node, pairs };
}
