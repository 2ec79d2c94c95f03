import { elementCount } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { FREE_INITIALIZERS, type Model } from '../../ir/model.ts';
import { attribute } from '../../ir/node.ts';
import type { SparseTensor, Tensor } from '../../ir/tensor.ts';
import type { Change, Skip } from '../../layers/skip.ts';
import { checkShape } from '../../options/check.ts';
import type { Pass, PassReport } from '../pass.ts';
import { type Choice, choose } from './choose.ts';
import { maskOf, valuesOf } from './elements.ts';
import { MASK_NAME, MASK_OPSET, Shared, sharedBytes, VALUES_NAME } from './form.ts';
import { PACK_DEFAULTS, type PackOptions, STORES, type Store } from './options.ts';
import { sparseOf } from './sparse.ts';
import { unpackWeights } from './unpack.ts';
import { namesOf, operatorsOf, type Packable, packableWeights, skipWeight } from './weights.ts';

export { PACK_DEFAULTS, type PackOptions, STORES, type Store } from './options.ts';
export { unpack } from './unpack.ts';

/** The first IR version with sparse initializers. */
const SPARSE_IR = 6;

/**
 * Stores weights with many zeros in fewer bytes. What the model computes does not change, bit for bit.
 * ```
 * before  w                                        float32 [256, 64], 60 % of it +0: 65536 bytes
 * after   w = compress.Unpack(mask, kept, dims)    mask: 2048 bytes, kept: 26220
 * ```
 * Unpack is a function of standard operators in the file. ONNX Runtime computes it once, when it loads the model, and
 * runs the same kernels as before; loading takes longer, and more memory meanwhile. Elements are left out by their
 * bits: −0 is kept, and for 8-bit weights the most frequent element is left out, whatever the zero points. A weight
 * that would not become smaller, counting nodes and names, does not change. Packed weights are unpacked first, so
 * packing twice gives the same file.
 *
 * @throws CompressError `options` for an unknown way to store
 * @example
 * await transform(model, prune({ method: 'l1', amount: 0.6 }), pack());
 * @see https://onnx.ai/onnx/operators/onnx__BitShift.html
 */
export function pack(options: PackOptions = {}): Pass {
  checkShape('pack', options, { store: STORES, optional: 'flag' });
  const { store, optional } = { ...PACK_DEFAULTS, ...options };
  return { name: 'pack', optional, run: (model) => (store === 'dense' ? dense(model) : run(model, store)) };
}

async function dense(model: Model): Promise<PassReport> {
  const { changes, notes } = await unpackWeights(model);
  return { pass: 'pack', changes, skips: [], notes: changes.length === 0 ? ['no weight is packed', ...notes] : notes };
}

/** A weight that will be stored in another way. */
interface Chosen extends Packable {
  readonly choice: Choice;
}

async function run(model: Model, store: Store): Promise<PassReport> {
  const notes = [...(await unpackWeights(model)).notes];
  const choices = new Map<Tensor, Choice>();
  const first = packableWeights(model);
  const skips: Skip[] = [...first.skips];
  for (const weight of first.weights) {
    const { tensor } = weight.held;
    const choice = await choose(weight, store);
    if ('reason' in choice) skips.push(skipWeight(weight, choice.reason, choice.detail));
    else choices.set(tensor, choice);
  }
  const pick = (weights: readonly Packable[]): Chosen[] =>
    weights.flatMap((weight) => {
      const choice = choices.get(weight.held.tensor);
      return choice === undefined ? [] : [{ ...weight, choice }];
    });
  let chosen = pick(first.weights);
  if (chosen.some(isMasked) && model.opset < MASK_OPSET) {
    const refused = await raise(model, notes);
    // Raising replaces nodes: the ones found before may be gone.
    chosen = pick(packableWeights(model).weights);
    if (refused !== undefined) {
      skips.push(...chosen.filter(isMasked).map((one) => skipWeight(one, 'opset_too_old', refused)));
      chosen = chosen.filter((one) => !isMasked(one));
    }
  }
  const masked = chosen.filter(isMasked);
  const gain = masked.reduce((sum, { choice }) => sum + choice.dense - choice.byteLength, 0);
  const common = sharedBytes(masked.map(({ held }) => held.tensor.dims));
  if (masked.length > 0 && gain <= common) {
    const detail = `together they would save ${gain} bytes, but what they share takes ${common}`;
    skips.push(...masked.map((one) => skipWeight(one, 'no_gain', detail)));
    chosen = chosen.filter((one) => !isMasked(one));
  }
  if (chosen.length > 0) prepare(model, chosen);
  const changes = apply(model, chosen);
  return { pass: 'pack', changes, skips, notes };
}

function isMasked({ choice }: Chosen): boolean {
  return choice.form === 'bitmask';
}

/** Raises the opset; returns a sentence if that is impossible. */
async function raise(model: Model, notes: string[]): Promise<string | undefined> {
  const { raiseOpset } = await import('../opset/index.ts');
  const raised = await raiseOpset(model, MASK_OPSET);
  if (!raised.raised) {
    const stays = model.hasOpset ? `opset ${model.opset} cannot be raised: ` : '';
    return `a bit mask needs opset ${MASK_OPSET}, and ${stays}${raised.reason}`;
  }
  notes.push(`opset raised from ${raised.from} to ${raised.to}, which a bit mask needs`, ...raised.notes);
  return undefined;
}

/** Raises the IR version if functions or sparse initializers need it. */
function prepare(model: Model, chosen: readonly Chosen[]): void {
  const needed = chosen.every(isMasked) ? FREE_INITIALIZERS : SPARSE_IR;
  if (model.irVersion < needed) model.setIrVersion(needed);
}

/** The changes to the initializers of one graph. */
interface Edits {
  readonly tensors: Map<string, readonly Tensor[]>;
  readonly sparse: SparseTensor[];
}

/** Rewrites the chosen weights, all those of a graph at once. */
function apply(model: Model, chosen: readonly Chosen[]): Change[] {
  const shared = chosen.some(isMasked) ? new Shared(model) : undefined;
  const graphs = new Map<Graph, Edits>();
  const changes: Change[] = [];
  for (const one of chosen) {
    const { graph } = one.held;
    const edits: Edits = graphs.get(graph) ?? { tensors: new Map(), sparse: [] };
    graphs.set(graph, edits);
    changes.push(reportOf(one));
    if (shared !== undefined && isMasked(one)) mask(one, shared, edits.tensors);
    else {
      if (one.held.node === undefined) edits.tensors.set(one.name, []);
      else graph.removeNode(one.held.node);
      edits.sparse.push(sparseOf(one.held.tensor, one.name, one.choice.counted));
    }
  }
  for (const [graph, { tensors, sparse }] of graphs) {
    if (tensors.size > 0) graph.replaceInitializers(tensors);
    if (sparse.length > 0) graph.setSparseInitializers(sparse);
  }
  return changes;
}

/** Writes the node of one weight; its mask and values replace the weight. */
function mask({ held, name, choice }: Chosen, shared: Shared, tensors: Map<string, readonly Tensor[]>): void {
  const { graph, tensor, node } = held;
  const { counted } = choice;
  // Short names, since long ones would matter for small weights. The node shows which weight they belong to.
  const names = { mask: graph.uniqueName(MASK_NAME), values: graph.uniqueName(VALUES_NAME) };
  const made = shared.node(names.mask, names.values, tensor.dims, name);
  if (node === undefined) {
    tensors.set(name, [maskOf(names.mask, tensor, counted), valuesOf(names.values, tensor, counted, true)]);
    graph.insertFirst(made);
    return;
  }
  const kept = node.attributes.filter((one) => one.name !== 'value');
  const constantNode = (output: string, value: Tensor): typeof node => ({
    ...node,
    outputs: [output],
    attributes: [...kept, attribute.tensor('value', value)],
  });
  graph.replaceNode(
    node,
    { ...constantNode(names.mask, maskOf('', tensor, counted)), name: '' },
    constantNode(names.values, valuesOf(tensor.name, tensor, counted, true)),
    made,
  );
}

function reportOf({ held, name, nodes, choice }: Chosen): Change {
  const { dtype, dims, byteLength } = held.tensor;
  const elements = elementCount(dims);
  return {
    weight: name,
    nodes: namesOf(nodes),
    opType: operatorsOf(nodes),
    dtype,
    dims,
    elements,
    before: byteLength,
    after: choice.byteLength - (choice.dense - byteLength),
    zeros: elements - choice.counted.kept,
    form: choice.form,
  };
}
