import { withBodies } from '../../ir/bodies.ts';
import { Calls } from '../../ir/calls.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, isStandard } from '../../ir/node.ts';
import { choose, type Kept, notInlined, opsetWith } from './choose.ts';
import { instantiate, SharedWeights } from './clone.ts';

/** The result of inlining: names of removed functions, and those that had to stay. */
export interface Inlined {
  readonly inlined: readonly string[];
  /** Functions removed because nothing calls them. */
  readonly dropped: readonly string[];
  readonly kept: readonly Kept[];
}

/** How functions are inlined. */
export interface InlineOptions {
  /** Remove wanted functions that nothing calls; otherwise they stay. */
  readonly dropsUncalled?: boolean;
}

/**
 * Replaces the calls of local functions by their nodes, as ONNX Runtime does when it loads a model:
 * ```
 * before:  y = my.Linear <alpha = 2.> (x, w)              after:  linear/t = MatMul (x, w)
 *                                                                 y = Mul (linear/t, two)
 * ```
 * If a function is wanted, its callers are inlined too. Functions that cannot be inlined stay. A weight inside a
 * function that is called more than once becomes one initializer, which all copies read.
 * @param wanted - which functions, by their nodes
 * @see https://onnx.ai/onnx/repo-docs/IR.html#functions
 */
export function inlineFunctions(
  model: Model,
  wanted: (callee: Graph) => boolean,
  { dropsUncalled = false }: InlineOptions = {},
): Inlined {
  if (model.functions.length === 0) return { inlined: [], dropped: [], kept: [] };
  const calls = new Calls(model);
  const reached = calls.reached([model.graph]);
  const asked = calls.callersOf(model.functions.filter(wanted));
  asked.delete(model.graph);
  const idle = [...asked].filter((one) => !reached.has(one));
  const dropped = dropsUncalled ? idle : [];
  const { chosen, instances, kept } = choose(
    model,
    calls,
    [...asked].filter((one) => reached.has(one)),
  );
  const shared = new SharedWeights(model.graph);
  const used = expand(model, chosen, (callee) => ((instances.get(callee) ?? 0) > 1 ? shared : undefined));
  takeOver(model, used);
  for (const one of dropped) model.removeFunction(one);
  const left = new Calls(model).reached([model.graph, ...model.functions.filter((one) => !reached.has(one))]);
  const inlined = [...used].filter((one) => !left.has(one));
  for (const one of inlined) model.removeFunction(one);
  if (!dropsUncalled) kept.push(...idle.map((one) => notInlined(one, 'nothing calls it')));
  return { inlined: inlined.map((one) => one.name), dropped: dropped.map((one) => one.name), kept };
}

/** What inlining did, in a sentence for each fact. */
export function inliningNotes({ inlined, dropped, kept }: Inlined): string[] {
  const notes: string[] = [];
  if (inlined.length > 0) {
    const what = inlined.length === 1 ? 'a local function is' : `${inlined.length} local functions are`;
    notes.push(`${what} inlined, as ONNX Runtime does: ${listed(inlined)}`);
  }
  if (dropped.length > 0) {
    const what = dropped.length === 1 ? 'a local function is' : `${dropped.length} local functions are`;
    notes.push(`${what} removed, because nothing calls ${dropped.length === 1 ? 'it' : 'them'}: ${listed(dropped)}`);
  }
  return [...notes, ...kept.map((one) => one.note)];
}

/** Names in a sentence. */
const SHOWN = 3;

function listed(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return more > 0 ? `${names.slice(0, SHOWN).join(', ')} and ${more} more` : names.join(', ');
}

/** Replaces calls, including those inside inlined functions; returns the functions that were called. */
function expand(
  model: Model,
  chosen: ReadonlySet<Graph>,
  sharedOf: (callee: Graph) => SharedWeights | undefined,
): Set<Graph> {
  const used = new Set<Graph>();
  const pending = withBodies([model.graph]);
  for (const graph of pending) {
    const nodes = [...graph.nodes].reverse();
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      const callee = model.callee(node);
      if (callee === undefined || !chosen.has(callee)) continue;
      const made = instantiate(node, callee, graph, sharedOf(callee));
      // One by one: a function may have more nodes than a call takes arguments.
      for (const one of made) graph.insertBefore(node, one);
      graph.removeNode(node);
      used.add(callee);
      for (const body of withBodies(made.flatMap(bodiesOf))) pending.push(body);
      for (const one of made.reverse()) nodes.push(one);
    }
  }
  return used;
}

/** Adds the opset imports that the inlined nodes need. */
function takeOver(model: Model, used: ReadonlySet<Graph>): void {
  const opset = opsetWith(model, [...used]);
  if (opset !== model.opset) model.setOpset(opset);
  for (const callee of used) {
    for (const { domain, version } of callee.signature?.opsets ?? []) {
      if (!isStandard(domain)) model.addOpset(domain, version);
    }
  }
}
