import { withBodies } from '../../ir/bodies.ts';
import { dtypeNumber } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { type Attribute, attribute, isOp, type Node } from '../../ir/node.ts';
import { constant } from '../../ir/tensor.ts';
import type { Target } from '../../kernels/lowbits/names.ts';
import { fromFloat32 } from '../../kernels/rounded.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { castNode } from '../../schemes/write.ts';
import { halfAccuracy } from '../../targets/halves.ts';
import { bounded, type Fits } from './constants.ts';
import { fillOf, halfSource, isMade, type Names, type Naming } from './names.ts';
import { isFloatCast, type Plan, typedConstant } from './plan.ts';
import type { Types } from './types.ts';
import type { Weights } from './weights.ts';

/** What the rewriting of nodes needs to know. */
export interface Rewriting {
  readonly model: Model;
  readonly types: Types;
  readonly plan: Plan;
  readonly naming: Naming;
  readonly weights: Weights;
  readonly fits: Fits;
  readonly target: Target;
}

/**
 * Gives each node its inputs in the type it computes in. All readers in the other type share one Cast, placed after the
 * producer. A value made by a Cast gets a second Cast from the same source.
 * @returns the number of inserted Casts
 */
export async function rewriteNodes(work: Rewriting): Promise<number> {
  const graphs = withBodies([work.model.graph]);
  const changes: (() => void)[] = [];
  let casts = 0;
  // Inputs are looked up before any node is replaced.
  for (const graph of graphs) {
    const first = firstCasts(work, graph);
    if (first.length > 0) changes.push(() => graph.insertFirst(...first));
    casts += first.length;
    for (const node of graph.nodes) {
      if (isOp(node, 'Constant')) continue;
      const castsBack = castsAfter(work, graph, node);
      casts += castsBack.length;
      const next = await rewritten(work, graph, node);
      if (isIdle(work, graph, node)) changes.push(() => graph.removeNode(node));
      else if (next !== node || castsBack.length > 0)
        changes.push(() => graph.replaceNode(node, { ...next }, ...castsBack));
    }
  }
  for (const change of changes) change();
  for (const graph of graphs) settleTypes(work, graph);
  return casts;
}

/** Whether a node is a Cast from float16 that nothing reads, because all readers take its source. */
function isIdle({ naming, types }: Rewriting, graph: Graph, node: Node): boolean {
  const source = halfSource(types, graph, node);
  const names = naming.of(graph, node.outputs[0] ?? '');
  return source !== undefined && names?.half === source && names.float === undefined;
}

/** Casts of values that no node of the graph produces. */
function firstCasts({ plan, naming }: Rewriting, graph: Graph): Node[] {
  const casts: Node[] = [];
  for (const name of plan.values.get(graph)?.keys() ?? []) {
    if (graph.producer(name) === undefined) casts.push(...castOf(graph, naming.of(graph, name)));
  }
  return casts;
}

function castsAfter({ naming, types }: Rewriting, graph: Graph, node: Node): Node[] {
  return node.outputs.flatMap((output) => {
    const names = naming.of(graph, output);
    // It already exists in float16.
    if (names?.half !== undefined && names.half === halfSource(types, graph, node)) return [];
    // If a Cast made the value, cast its source instead.
    const source = isFloatCast(node) && isMade(types, graph, node) ? node.inputs[0] : undefined;
    return castOf(graph, names, source);
  });
}

/** The Cast of a value to its other type, if that is read. */
function castOf(graph: Graph, names: Names | undefined, source?: string): Node[] {
  if (names?.half === undefined || names.float === undefined) return [];
  const [from, to] = names.made ? [names.half, names.float] : [names.float, names.half];
  return [castNode(graph, source ?? from, to, names.made ? 'float32' : 'float16')];
}

async function rewritten(work: Rewriting, graph: Graph, node: Node): Promise<Node> {
  const { naming } = work;
  const inputs = node.inputs.map((value, index) => inputOf(work, graph, node, value, index));
  const outputs = node.outputs.map((name) => {
    const names = naming.of(graph, name);
    return (names?.made ? names.half : names?.float) ?? name;
  });
  const attributes = await attributesOf(work, node);
  const same = (one: readonly string[], other: readonly string[]): boolean =>
    one.every((name, at) => name === other[at]);
  if (same(inputs, node.inputs) && same(outputs, node.outputs) && attributes === node.attributes) return node;
  return { ...node, inputs, outputs, attributes };
}

/** The name of a value in the type that its reader needs. */
function inputOf(
  { model, types, naming, weights }: Rewriting,
  graph: Graph,
  node: Node,
  value: string,
  index: number,
): string {
  if (value === '' || types.of(graph, value) !== 'float32') return value;
  const want = naming.wantOf({ graph, node, index });
  const held = typedConstant(model, graph, value);
  if (held !== undefined) return weights.nameFor(held, want, node);
  let home: Graph = graph;
  while (home.parent !== undefined && !home.defines(value)) home = home.parent;
  const names = naming.of(home, value);
  const asHalf = want === 'half' || (want === 'any' && (names?.made || names?.float === undefined));
  return (asHalf ? names?.half : names?.float) ?? value;
}

/** Attributes that say which type a node makes. */
async function attributesOf(
  { plan, naming, weights, fits, target }: Rewriting,
  node: Node,
): Promise<readonly Attribute[]> {
  const half = plan.halves.has(node) || naming.absorbed.has(node);
  const replace = (one: Attribute): readonly Attribute[] => [
    ...node.attributes.filter(({ name }) => name !== one.name),
    one,
  ];
  if (isFloatCast(node)) return half ? replace(attribute.int('to', dtypeNumber('float16'))) : node.attributes;
  const { attribute: level, opType, wanted } = halfAccuracy.value;
  if (half && node.opType === opType && !wanted.includes(target)) {
    return node.attributes.filter((one) => one.name !== level);
  }
  const fill = fillOf(node);
  if (fill === undefined || !(half || weights.isBounded(node))) return node.attributes;
  if (fill === 0)
    return half
      ? replace(attribute.tensor('value', constant('', 'float16', [1], new Uint16Array(1))))
      : node.attributes;
  const dtype = half ? 'float16' : 'float32';
  const bound = (await fits.of(fill)).kind === 'bound' ? bounded(fill, fill.name, dtype) : undefined;
  if (bound !== undefined) return replace(attribute.tensor('value', bound));
  const bytes = fromFloat32(toFloat32(await fill.load(), 'float32'), dtype);
  return replace(attribute.tensor('value', constant(fill.name, dtype, fill.dims, bytes)));
}

/** Updates the stated types of values that are float16 now. */
function settleTypes({ plan, naming }: Rewriting, graph: Graph): void {
  const halves = [...(plan.values.get(graph) ?? [])].flatMap(([name]) =>
    naming.of(graph, name)?.half === name ? [name] : [],
  );
  graph.setTypes(new Set(halves), 'float16');
}
