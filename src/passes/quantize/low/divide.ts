import type { Graph } from '../../../ir/graph.ts';
import type { Model } from '../../../ir/model.ts';
import { createNode, intAttribute, isOp, type Node } from '../../../ir/node.ts';
import { constant, derived, type Tensor } from '../../../ir/tensor.ts';
import { toFloat32 } from '../../../kernels/views.ts';
import { isVariable } from '../../../layers/constant.ts';
import { gemmParts } from '../../../layers/gemm.ts';

/**
 * Divides a value by factors along its last axis, for some of its readers. The division is folded into the value's
 * producer if that is exact and nothing else reads it; otherwise a Mul is inserted.
 *
 * ```
 * x ── LayerNormalization(γ, β) ── MatMul(W)      γ / s, β / s
 * x ── MatMul(V) ── Add(b) ── Relu ── MatMul(W)   V / s, b / s
 * x ── MatMul(W)                                  x ── Mul(1 / s) ── MatMul(W)
 * ```
 *
 * @param factors - positive, so that they pass through a Relu
 * @returns whether they were folded into the producer
 */
export function divideInput(model: Model, value: string, readers: ReadonlySet<Node>, factors: Float32Array): boolean {
  const { graph } = model;
  const reciprocals = factors.map((one) => 1 / one);
  const edits = editsFor(model, value, readers, factors.length);
  for (const { name, axis } of edits ?? []) {
    graph.setInitializer(multiplied(graph.initializers.get(name) as Tensor, axis, reciprocals));
  }
  if (edits !== undefined) return true;
  const name = graph.uniqueName(`${value}_reciprocals`);
  graph.setInitializer(constant(name, 'float32', [factors.length], reciprocals));
  const output = graph.uniqueName(`${value}_divided`);
  const mul = createNode({
    name: graph.uniqueName(`${output}_Mul`),
    opType: 'Mul',
    inputs: [value, name],
    outputs: [output],
  });
  const [first] = graph.nodes.filter((node) => readers.has(node)) as [Node];
  graph.insertBefore(first, mul);
  for (const node of readers) {
    graph.replaceNode(node, { ...node, inputs: node.inputs.map((one, at) => (at === 0 ? output : one)) });
  }
  return false;
}

/** A tensor multiplied along an axis. */
export function multiplied(tensor: Tensor, axis: number, factors: Float32Array): Tensor {
  const { name, dtype, dims } = tensor;
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  return derived(name, dtype, dims, async () => {
    const data = toFloat32(await tensor.load(), 'float32');
    return data.map((one, at) => one * (factors[Math.floor(at / inner) % factors.length] as number));
  });
}

/** A constant that absorbs the factors, along an axis. */
interface Edit {
  readonly name: string;
  readonly axis: number;
}

/** The most nodes followed from a value to the constants that absorb its factors. */
const MOST_STEPS = 8;

/**
 * The constants to divide so that a value is divided; undefined if that is not exact, or the value has other readers.
 */
function editsFor(model: Model, value: string, readers: ReadonlySet<Node>, length: number): Edit[] | undefined {
  const { graph } = model;
  const edits: Edit[] = [];
  const take = (name: string): boolean => {
    const edit = editOf(model, name, length);
    if (edit !== undefined) edits.push(edit);
    return edit !== undefined;
  };
  let [at, from] = [value, readers];
  for (let step = 0; step < MOST_STEPS; step++) {
    const node = graph.producer(at);
    if (node === undefined || !graph.uses(at).every((use) => use.node !== undefined && from.has(use.node)))
      return undefined;
    const [first = '', second = '', third = ''] = node.inputs;
    if (isOp(node, 'LayerNormalization')) {
      const last = intAttribute(node, 'axis', -1) === -1 && node.outputs.length === 1;
      return last && take(second) && (third === '' || take(third)) ? edits : undefined;
    }
    if (isOp(node, 'Mul')) return take(second) || take(first) ? edits : undefined;
    if (isOp(node, 'MatMul') || isOp(node, 'Gemm')) {
      const weight = columnsOf(model, node, length);
      if (weight === undefined) return undefined;
      edits.push(weight);
      return !isOp(node, 'Gemm') || third === '' || take(third) ? edits : undefined;
    }
    if (isOp(node, 'Add')) {
      const taken = take(second) ? first : take(first) ? second : undefined;
      if (taken === undefined) return undefined;
      at = taken;
    } else if (isOp(node, 'Relu')) at = first;
    else return undefined;
    from = new Set([node]);
  }
  return undefined;
}

/** For a constant added or multiplied along the last axis. Scalars stay, because runtimes match those of a Gelu. */
function editOf(model: Model, name: string, length: number): Edit | undefined {
  const tensor = ownTensor(model, name);
  const { dims = [] } = tensor ?? {};
  const along = dims.at(-1) === length && dims.slice(0, -1).every((dim) => dim === 1);
  return along ? { name, axis: dims.length - 1 } : undefined;
}

/** For the matrix of a product, along its outputs. */
function columnsOf(model: Model, node: Node, length: number): Edit | undefined {
  const name = node.inputs[1] ?? '';
  const { dims = [] } = ownTensor(model, name) ?? {};
  const axis = isOp(node, 'Gemm') && gemmParts(node).transB ? 0 : 1;
  return dims.length === 2 && dims[axis] === length ? { name, axis } : undefined;
}

/** A float32 initializer with a single reader, which no caller may override. */
function ownTensor(model: Model, name: string): Tensor | undefined {
  const { graph }: { graph: Graph } = model;
  const tensor = graph.initializers.get(name);
  if (tensor?.dtype !== 'float32' || graph.uses(name).length !== 1) return undefined;
  return isVariable(model, { tensor, graph, node: undefined }) ? undefined : tensor;
}
