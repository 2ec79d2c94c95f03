import type { Graph } from '../../ir/graph.ts';
import type { ModelHeader } from '../../ir/header.ts';
import type { Model } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { checkShape } from '../../options/check.ts';
import { type UnpackedView, unpackedView } from '../pack/view.ts';
import { functionKey, headerChanges, operatorChanges, valueChanges } from './header.ts';
import { computing, type Matching, matchNodes } from './match.ts';
import { bodyPairs, changedNodes, nodeFacts } from './nodes.ts';
import type { DiffOptions, FactChange, ModelDiff, NodeChange, NodeFacts, WeightChange } from './types.ts';
import { type Compared, diffWeights, type Look, tensorsOf } from './weights.ts';

export type { HistogramPair } from './histogram.ts';
export type {
  Change,
  DiffOptions,
  FactChange,
  ModelDiff,
  NodeChange,
  NodeFacts,
  OperatorChange,
  TensorFacts,
  ValueChange,
  WeightChange,
} from './types.ts';

/**
 * What changed from one model to another: facts of the file, inputs and outputs, operators, nodes and weights. Nodes
 * are matched by their outputs, by their names, and by their inputs starting from those of the model; so a model that
 * was exported again with other names does not appear to be all new. Weights are compared byte for byte, a chunk at a
 * time; those that differ are also compared element by element, as `10·log10(Σw² / Σ(w − w')²)` in dB. A weight that is
 * stored as integers in the other model (`<w>_quantized`) is compared with the dequantized integers.
 *
 * Packed weights and sparse initializers are unpacked for the comparison; being packed counts as a fact about the file.
 * The models are not changed.
 *
 * Doc strings and metadata of single nodes and tensors and kinds of attributes that hold types are not compared.
 *
 * @throws CompressError if weights cannot be read
 * @example
 * const { weights, byteLength } = await diff(await readModel('model.onnx'), await readModel('small.onnx'));
 */
export async function diff(before: Model, after: Model, options: DiffOptions = {}): Promise<ModelDiff> {
  checkShape('diff', options, { bins: 'number', sample: 'number', onProgress: 'function' });
  const { bins, sample, onProgress } = options;
  const views = [await unpackedView(before), await unpackedView(after)] as const;
  const [from, to] = [views[0].model, views[1].model];
  const total = from.graphs().reduce((sum, graph) => sum + bytesIn(graph), 0);
  let done = 0;
  const collected = new Collected({ bins, sample }, (tensor) => {
    done += tensor.byteLength;
    onProgress?.(done, total);
  });
  await diffGraphs(collected, '', from.graph, to.graph, new Map());
  const functions = new Map(to.functions.map((one) => [functionKey(one), one]));
  for (const one of from.functions) {
    const other = functions.get(functionKey(one));
    if (other === undefined) collected.whole(functionKey(one), one, 'removed');
    else await diffGraphs(collected, functionKey(one), one, other, new Map());
    functions.delete(functionKey(one));
  }
  for (const [key, one] of functions) collected.whole(key, one, 'added');
  const [header, values, operators] = [
    [...(await headerChanges(before, after)), ...packedChange(...views)],
    valueChanges(from, to),
    operatorChanges(from, to),
  ];
  const [old, now] = await Promise.all([before.header(), after.header()]);
  const { nodes, weights } = collected;
  const found = [header, values, operators, nodes.changed, nodes.added, nodes.removed, weights.changed];
  const same = found.every((list) => list.length === 0);
  const byteLength = { before: bytesOf(old), after: bytesOf(now) };
  return { same, byteLength, notes: notesOf(...views), header, values, operators, nodes, weights };
}

/** How many weights are packed, where that is another number, or in another way. */
function packedChange(before: UnpackedView, after: UnpackedView): FactChange[] {
  const [old, now] = [before, after].map(({ packed }) => {
    const forms = [...packed.values()].map((one) => one.form);
    const counts = [...new Set(forms)].map((form) => `${forms.filter((one) => one === form).length} ${form}`);
    return counts.length === 0 ? undefined : counts.join(', ');
  });
  return old === now ? [] : [{ what: 'packed weights', before: old, after: now }];
}

function notesOf(before: UnpackedView, after: UnpackedView): string[] {
  return [...before.notes.map((note) => `before: ${note}`), ...after.notes.map((note) => `after: ${note}`)];
}

/** Bytes of the weights that a graph holds itself. */
function bytesIn(graph: Graph): number {
  return [...tensorsOf(graph).values()].reduce((sum, one) => sum + one.byteLength, 0);
}

function bytesOf({ byteLength, dataFiles }: ModelHeader): number {
  return dataFiles.reduce((sum, one) => sum + one.byteLength, byteLength);
}

/** What the graphs of two models gave so far. */
class Collected {
  readonly nodes = { same: 0, changed: [] as NodeChange[], removed: [] as NodeFacts[], added: [] as NodeFacts[] };
  readonly weights = { same: 0, changed: [] as WeightChange[] };
  /** What the weights of all graphs are compared with. */
  readonly compared: Compared;

  constructor(look: Look, seen: Compared['seen']) {
    this.compared = { claimed: new WeakSet<Tensor>(), look, seen };
  }

  /** A graph that is in one of the models only. */
  whole(path: string, graph: Graph, which: 'removed' | 'added'): void {
    for (const node of computing(graph)) this.nodes[which].push(nodeFacts(path, node));
  }
}

async function diffGraphs(
  into: Collected,
  path: string,
  before: Graph,
  after: Graph,
  outer: ReadonlyMap<string, string>,
): Promise<void> {
  const matching = matchNodes(before, after, outer);
  const renames = weightRenames(before, after, matching);
  const weights = await diffWeights(path, before, after, renames, into.compared);
  into.weights.same += weights.same;
  into.weights.changed.push(...weights.changed);
  const changed = await changedNodes(path, matching, weights.renamed);
  into.nodes.changed.push(...changed);
  into.nodes.same += matching.pairs.length - changed.length;
  into.nodes.removed.push(...matching.removed.map((node) => nodeFacts(path, node)));
  into.nodes.added.push(...matching.added.map((node) => nodeFacts(path, node)));
  const values = new Map([...matching.values, ...weights.renamed]);
  for (const pair of matching.pairs) {
    for (const body of bodyPairs(path, pair)) await diffGraphs(into, body.path, body.before, body.after, values);
  }
}

/** Weights that a node of both graphs reads in one place under two names. */
function weightRenames(before: Graph, after: Graph, { pairs }: Matching): Map<string, string> {
  const renames = new Map<string, string>();
  for (const pair of pairs) {
    for (const [index, input] of pair.before.inputs.entries()) {
      const other = pair.after.inputs[index] ?? '';
      if (input === '' || other === '' || input === other || renames.has(input)) continue;
      if (holds(before, input) && holds(after, other)) renames.set(input, other);
    }
  }
  return renames;
}

/** Whether the graph itself, not one around it, holds a tensor under this name. */
function holds(graph: Graph, name: string): boolean {
  return graph.constant(name)?.graph === graph;
}
