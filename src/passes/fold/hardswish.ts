import type { Graph } from '../../ir/graph.ts';
import { attribute, createNode, findAttribute, floatAttribute, isOp, type Node } from '../../ir/node.ts';
import { hardSigmoidTypes } from '../../targets/kernels.ts';
import { type Folding, isAnyOp } from './context.ts';

/** From this opset on, the bounds of Clip are inputs. */
const CLIP_INPUTS = 11;
/** Relative tolerance for a constant meant as 1/6: the rounding of float32 and float16. */
const TOLERANCE = { float32: 1e-6, float16: 1e-3 };

/**
 * Replaces decomposed hard-sigmoid and hard-swish by HardSigmoid:
 * ```
 * before  x ── Add(3) ── Clip(0, 6) ── Div(6) ── y            after  x ── HardSigmoid(1/6, 0.5) ── y
 *
 * before  x ─┬─ Add(3) ── Clip(0, 6) ── Mul ── Div(6) ── y    after  x ─┬─ HardSigmoid(1/6, 0.5) ── Mul ── y
 *            └───────────────────────────┘                              └────────────────────────────┘
 * ```
 * since `clip(x + 3, 0, 6) / 6 = clip(x/6 + 1/2, 0, 1)`. The operands may stand in any order, the division by 6 may be
 * a product with 1/6, and may precede the Mul, after it, or at its x. Nothing else may read what lies between.
 * @see https://onnx.ai/onnx/operators/onnx__HardSigmoid.html
 */
export async function nameHardSwish(folding: Folding): Promise<void> {
  if (folding.model.opset < 7) return;
  for (const graph of folding.graphs) {
    for (const clip of graph.nodes) {
      if (!isOp(clip, 'Clip') || graph.producer(clip.outputs[0] ?? '') !== clip) continue;
      const found = await shifted(folding, graph, clip);
      if (found !== undefined) await rewrite(folding, graph, clip, found);
    }
  }
}

/** `x + 3` before a Clip to [0, 6]. */
interface Shifted {
  readonly add: Node;
  readonly x: string;
  readonly dtype: keyof typeof TOLERANCE;
}

async function shifted(folding: Folding, graph: Graph, clip: Node): Promise<Shifted | undefined> {
  const [value = ''] = clip.inputs;
  const add = graph.producer(value);
  if (!isAnyOp(add, 'Add') || folding.onlyUse(graph, value) === undefined) return undefined;
  if (!(await clipsTo6(folding, graph, clip))) return undefined;
  for (const index of [0, 1]) {
    const three = add.inputs[index];
    const x = add.inputs[1 - index] ?? '';
    const dtype = folding.constant(graph, three)?.tensor.dtype;
    if (!isNamed(dtype)) continue;
    const scalar = await folding.scalar(graph, three);
    if (scalar?.value === 3 && folding.keepsShape(scalar.rank, graph, x)) return { add, x, dtype };
  }
  return undefined;
}

function isNamed(dtype: string | undefined): dtype is keyof typeof TOLERANCE {
  return hardSigmoidTypes.value.some((one) => one === dtype);
}

async function clipsTo6(folding: Folding, graph: Graph, clip: Node): Promise<boolean> {
  if (folding.model.opset < CLIP_INPUTS) {
    const given = findAttribute(clip, 'min') !== undefined;
    return given && floatAttribute(clip, 'min', -1) === 0 && floatAttribute(clip, 'max', -1) === 6;
  }
  const [low, high] = await Promise.all([1, 2].map((index) => folding.scalar(graph, clip.inputs[index])));
  return low?.value === 0 && high?.value === 6;
}

async function rewrite(folding: Folding, graph: Graph, clip: Node, { add, x, dtype }: Shifted): Promise<void> {
  const next = folding.onlyUse(graph, clip.outputs[0])?.node;
  if (next === undefined) return;
  const sixth = (node: Node | undefined, value: string): Promise<boolean> =>
    isSixth(folding, graph, node, value, dtype, x);
  if (await sixth(next, clip.outputs[0] ?? '')) {
    for (const node of [add, clip]) graph.removeNode(node);
    graph.replaceNode(next, hardSigmoid(next.name, x, next.outputs[0] ?? ''));
    folding.count(
      readsBoth(folding, graph, next.outputs[0] ?? '', x) ? { action: 'hard_swish' } : { action: 'hard_sigmoid' },
    );
    return;
  }
  if (!isAnyOp(next, 'Mul')) return;
  const other = next.inputs[next.inputs[0] === clip.outputs[0] ? 1 : 0] ?? '';
  const product = next.outputs[0] ?? '';
  const last = other === x ? folding.onlyUse(graph, product)?.node : undefined;
  const divided = other === x ? undefined : graph.producer(other);
  if (last !== undefined && (await sixth(last, product))) {
    for (const node of [add, clip, next]) graph.removeNode(node);
    write(folding, graph, last, x);
  } else if (divided?.inputs.includes(x) && (await sixth(divided, x))) {
    const alone = folding.onlyUse(graph, other) !== undefined;
    for (const node of alone ? [add, clip, divided] : [add, clip]) graph.removeNode(node);
    write(folding, graph, next, x);
  }
}

/** Inserts the two nodes at the position of the last old one. */
function write(folding: Folding, graph: Graph, old: Node, x: string): void {
  const [y = ''] = old.outputs;
  const gate = graph.uniqueName(`${y}_HardSigmoid`);
  const mul = createNode({
    name: old.name,
    opType: 'Mul',
    inputs: [x, gate],
    outputs: [y],
    ...(old.extra && { extra: old.extra }),
  });
  graph.replaceNode(old, hardSigmoid(gate, x, gate), mul);
  folding.count({ action: 'hard_swish' });
}

function hardSigmoid(name: string, x: string, y: string): Node {
  const attributes = [attribute.float('alpha', Math.fround(1 / 6)), attribute.float('beta', 0.5)];
  return createNode({ name, opType: 'HardSigmoid', inputs: [x], outputs: [y], attributes });
}

/** Whether the node is `value / 6` or `value · 1/6`, and does not change the shape (which is that of x). */
async function isSixth(
  folding: Folding,
  graph: Graph,
  node: Node | undefined,
  value: string,
  dtype: keyof typeof TOLERANCE,
  x: string,
): Promise<boolean> {
  if (!isAnyOp(node, 'Div', 'Mul')) return false;
  const [first = '', second = ''] = node.inputs;
  if (isOp(node, 'Div') && first !== value) return false;
  const scalar = await folding.scalar(graph, first === value ? second : first);
  if (scalar === undefined || !folding.keepsShape(scalar.rank, graph, x)) return false;
  return isOp(node, 'Div') ? scalar.value === 6 : Math.abs(scalar.value * 6 - 1) <= TOLERANCE[dtype];
}

/** Whether a Mul with x is the only reader of the gate. */
function readsBoth(folding: Folding, graph: Graph, gate: string, x: string): boolean {
  const use = folding.onlyUse(graph, gate);
  return isAnyOp(use?.node, 'Mul') && use.node.inputs[1 - use.index] === x;
}
