import { withBodies } from '../../ir/bodies.ts';
import type { Graph } from '../../ir/graph.ts';
import { type Model, NO_OPSET, standardVersion } from '../../ir/model.ts';
import { isOp, labelOf, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { HIGHEST_OPSET, LOWEST_OPSET } from '../../options/convert.ts';
import { stopCarrying } from '../carried.ts';
import { inlineFunctions, inliningNotes } from '../inline/index.ts';
import { Scope } from './adapter.ts';
import { ValueFacts } from './infer.ts';
import { stopMixedLayerNorms } from './layerNorm.ts';
import { mayLoseKernel, Unrunnable } from './runnable.ts';
import { changedBetween, changesAt, entryOf, existsAt } from './table.ts';

/** How many nodes of an operator were rewritten. */
export interface AdaptedOperator {
  readonly opType: string;
  readonly count: number;
}

/** What {@link raiseOpset} did, or the sentence why it could not. */
export type RaiseResult =
  | {
      readonly raised: true;
      readonly from: number;
      readonly to: number;
      readonly adapted: readonly AdaptedOperator[];
      /** Notes on local functions and on workarounds for ONNX Runtime, one sentence each. */
      readonly notes: readonly string[];
    }
  | {
      readonly raised: false;
      readonly reason: string;
      /** If ONNX Runtime lacks a kernel: the highest opset at which it runs everything it runs now. */
      readonly runsUpTo?: number;
    };

/** What {@link raiseOpset} may do. */
export interface RaiseOptions {
  /** Raise even if ONNX Runtime loses a kernel: other runtimes may have it. */
  readonly force?: boolean | undefined;
}

/**
 * The first IR version that goes with an opset (`onnx.helper.VERSION_TABLE`), as [opset, irVersion] from the highest.
 */
const IR_VERSIONS = [
  [25, 13],
  [24, 12],
  [23, 11],
  [21, 10],
  [19, 9],
  [15, 8],
  [12, 7],
  [11, 6],
  [10, 5],
  // Opsets 7 and 8 go with IR 3, where every initializer must be a graph input; ours are not.
  [LOWEST_OPSET, 4],
] as const;

/** One node to replace. */
interface Edit {
  readonly graph: Graph;
  readonly node: Node;
  readonly nodes: readonly Node[];
  readonly tensors: readonly Tensor[];
}

/**
 * Rewrites a model for a higher version of the standard operators without changing what it computes:
 * ```
 * opset 9:  Clip <min = 0, max = 6> (x)         opset 13:  Clip (x, clip_min, clip_max)
 * ```
 * Every operator that changed on the way is either known to mean the same or has an adapter. First everything is
 * checked, and only then changed: a model that cannot be raised stays as it is. Bodies of If, Loop and Scan are
 * adapted too. Nodes of other domains are left alone. A model at `target` or above is left as it is.
 *
 * Raises the IR version where the opset needs it. Up to IR 3 initializers are listed as graph inputs too, which in
 * later versions would mean that a caller may replace them: those inputs are removed.
 *
 * Local functions in which an operator changed are inlined, because ONNX requires functions and model to agree on
 * operator versions. Only this happens before the check. If one cannot be inlined, the model is refused.
 *
 * The model is also refused if ONNX Runtime runs an operator now but would not at `target`, unless `force` is set.
 * @param target opset to reach, at most {@link HIGHEST_OPSET}.
 * @see https://github.com/onnx/onnx/blob/main/docs/Changelog.md
 */
export async function raiseOpset(
  model: Model,
  target: number,
  { force = false }: RaiseOptions = {},
): Promise<RaiseResult> {
  if (model.opset >= target) return { raised: true, from: model.opset, to: model.opset, adapted: [], notes: [] };
  if (target > HIGHEST_OPSET) return refuse(`opsets up to ${HIGHEST_OPSET} are supported, and ${target} was requested`);

  const wanted = (callee: Graph): boolean => changedIn(model, callee, target) !== undefined;
  const inlined = inlineFunctions(model, wanted, { dropsUncalled: true });
  const notes = inliningNotes(inlined);
  const from = model.opset;
  if (!model.hasOpset) return refuse(NO_OPSET);
  if (from < LOWEST_OPSET) return refuse(`the model has opset ${from}; opsets from ${LOWEST_OPSET} are supported`);
  for (const callee of model.functions) {
    const node = changedIn(model, callee, target);
    if (node === undefined) continue;
    const why = inlined.kept.find((one) => one.name === callee.name)?.note ?? '';
    return refuse(`${labelOf(node)} in function '${callee.name}' changed between the opsets${why && `; ${why}`}`);
  }
  const facts = new ValueFacts();
  const edits: Edit[] = [];
  const unrunnable = new Unrunnable(from, target);
  for (const { graph, node } of model.nodes()) {
    if (!isOp(node, node.opType)) continue;
    if (mayLoseKernel(node.opType)) unrunnable.add(node.opType, facts.dtype(graph, node.inputs[0] ?? ''));
    if (graph.root.kind === 'function') continue;
    const edit = await planNode(new Scope(graph, node, facts), from, target);
    if (typeof edit === 'string') return refuse(edit);
    if (edit !== undefined) edits.push(edit);
  }
  const { sentence, runsUpTo } = unrunnable;
  if (sentence !== undefined) {
    if (runsUpTo < target && !force) return { raised: false, reason: sentence, runsUpTo };
    notes.push(sentence);
  }

  for (const { graph, node, nodes, tensors } of edits) {
    for (const tensor of tensors) graph.setInitializer(tensor);
    graph.replaceNode(node, ...nodes);
  }
  raiseIrVersion(model, target);
  model.setOpset(target);
  notes.push(...sumsFor(model, target));
  return { raised: true, from, to: target, adapted: count(edits), notes };
}

/** A node of a function whose operator changes between the function's or the model's version and `target`. */
function changedIn(model: Model, callee: Graph, target: number): Node | undefined {
  const own = Math.max(model.opset, standardVersion(callee.signature?.opsets ?? []) ?? 0);
  if (own >= target) return undefined;
  const changed = (node: Node): boolean =>
    isOp(node, node.opType) && changedBetween(node.opType, own, target) !== undefined;
  for (const graph of withBodies([callee])) {
    const node = graph.nodes.find(changed);
    if (node !== undefined) return node;
  }
  return undefined;
}

/** Takes one node through every version on the way; undefined if it stays, a sentence if that is impossible. */
async function planNode(scope: Scope, from: number, target: number): Promise<Edit | string | undefined> {
  const { graph, original } = scope;
  if (!existsAt(original.opType, from)) return `${labelOf(original)} is not an operator of opset ${from}`;
  let nodes: readonly Node[] = [original];
  for (let version = from + 1; version <= target; version++) {
    const next: Node[] = [];
    for (const node of nodes) {
      if (!changesAt(node.opType, version)) {
        next.push(node);
        continue;
      }
      const entry = entryOf(node.opType, version);
      if (entry === undefined) return `${labelOf(original)}: no adapter for opset ${version}`;
      const adapted = entry === 'same' ? { nodes: [node] } : await entry(node, scope);
      if ('refused' in adapted)
        return `${labelOf(original)} cannot be converted to opset ${version}: ${adapted.refused}`;
      next.push(...adapted.nodes);
    }
    nodes = next;
  }
  const same = nodes.length === 1 && nodes[0] === original;
  return same ? undefined : { graph, node: original, nodes, tensors: scope.tensors };
}

function raiseIrVersion(model: Model, opset: number): void {
  const needed = IR_VERSIONS.find(([first]) => first <= opset)?.[1] ?? model.irVersion;
  if (model.irVersion >= needed) return;
  model.setIrVersion(needed);
}

/** Inserts a Sum where ONNX Runtime's own rewrites at that opset would fail to load; returns notes. */
function sumsFor(model: Model, opset: number): string[] {
  const graphs = model.graphs();
  const total = (stop: (graph: Graph) => number): number => graphs.reduce((sum, graph) => sum + stop(graph), 0);
  const norms = total((graph) => stopMixedLayerNorms(graph, opset));
  const carried = total((graph) => stopCarrying(graph, opset));
  return [
    [norms, 'in', 'written-out LayerNormalization of two types'] as const,
    [carried, 'behind', 'DequantizeLinear'] as const,
  ].flatMap(([many, where, what]) =>
    many === 0 ? [] : [`a Sum ${where} ${many} ${what}, without which ONNX Runtime cannot load opset ${opset}`],
  );
}

function count(edits: readonly Edit[]): AdaptedOperator[] {
  const counts = new Map<string, number>();
  for (const { node } of edits) counts.set(node.opType, (counts.get(node.opType) ?? 0) + 1);
  return [...counts].map(([opType, times]) => ({ opType, count: times }));
}

function refuse(reason: string): RaiseResult {
  return { raised: false, reason };
}
