import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model, PlacedNode } from '../../ir/model.ts';
import { bodiesOf, isOp, isStandard, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';
import { isVariable } from '../../layers/constant.ts';
import { makerOf, type WeightUse, weightInputs } from '../../layers/select.ts';
import { traceBack } from '../../layers/trace.ts';
import { isArithmetic, stepRoleOf } from '../../schemes/recognize.ts';
import { sourceCodes } from '../../schemes/unpacked.ts';
import { mayBeIntegers } from '../constants/predicted.ts';
import { hidingNodes } from '../constants/see.ts';

/** The most nodes between constants and a weight. */
const MAX_NODES = 256;
/** Smaller constants are gains, bounds and biases. */
const MIN_ELEMENTS = 1024;
/** Operators whose result has no more noise, relative to its values, than their inputs have. */
const EVEN = new Set([
  ...['Identity', 'Cast', 'Dropout', 'Transpose', ...RESHAPES, 'Slice', 'Split', 'Concat', 'Expand', 'Tile', 'Pad'],
  ...['Gather', 'GatherElements', 'GatherND', 'ScatterElements', 'ScatterND', 'DepthToSpace', 'SpaceToDepth', 'Trilu'],
  ...['Add', 'Sub', 'Mul', 'Sum', 'Neg', 'Abs', 'Max', 'Min', 'Clip', 'Where', 'MatMul', 'Gemm', 'Einsum', 'Conv'],
  ...['Relu', 'LeakyRelu', 'Tanh', 'Sigmoid', 'Erf', 'ReduceSum', 'ReduceMean', 'ReduceL2', 'ReduceMax', 'ReduceMin'],
  ...['BatchNormalization', 'InstanceNormalization', 'LayerNormalization', 'LpNormalization', 'Div'],
]);
/** Operators whose result differs at each run. */
const RANDOM = ['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Bernoulli', 'Multinomial'];

/** A constant from which arithmetic computes the weight of a layer, and nothing else. */
export interface LeafUse extends WeightUse {
  readonly layer: PlacedNode;
}

/**
 * Float constants from which nodes compute the weight of a layer when the model is loaded. They were not folded because
 * the file would grow or the work is too large. They are stored as integers and converted to float first.
 * ```
 * W (float) ── Mul(gain) ── MatMul        W_quantized ── Cast ── Mul(scale) ── Mul(gain) ── MatMul
 *          └── Mul(other) ── MatMul                                       └── Mul(other) ── MatMul
 * ```
 * @returns the uses, and all constant nodes on the way
 */
export function leavesOf(
  model: Model,
  opTypes: readonly string[],
): { readonly uses: readonly LeafUse[]; readonly nodes: ReadonlySet<Node> } {
  const uses = new Map<Node, Map<number, LeafUse>>();
  const nodes = new Set<Node>();
  for (const layer of hidingNodes(model, opTypes)) {
    for (const index of weightInputs(layer.node)) {
      const value = layer.node.inputs[index] ?? '';
      const cone = value === '' ? undefined : coneOf(layer.graph, value);
      if (cone === undefined) continue;
      for (const one of cone) nodes.add(one.node);
      for (const use of evenLeaves(model, layer, value)) {
        const known = uses.get(use.node) ?? new Map<number, LeafUse>();
        if (!known.has(use.index)) uses.set(use.node, known.set(use.index, use));
      }
    }
  }
  return { uses: [...uses.values()].flatMap((one) => [...one.values()]), nodes };
}

/** The nodes that compute a value from constants alone; undefined if there are other inputs or too many nodes. */
function coneOf(graph: Graph, value: string): PlacedNode[] | undefined {
  const found = new Map<Node, PlacedNode>();
  const open = [{ graph, value }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { scope, producer, held } = makerOf(next.graph, next.value, []);
    if (held !== undefined || mayBeIntegers(next.graph, next.value)) continue;
    if (producer === undefined || !isStandard(producer.domain) || bodiesOf(producer).length > 0) return undefined;
    if (RANDOM.includes(producer.opType)) return undefined;
    if (found.has(producer)) continue;
    found.set(producer, { graph: scope, node: producer });
    if (found.size > MAX_NODES) return undefined;
    for (const input of producer.inputs) if (input !== '') open.push({ graph: scope, value: input });
  }
  return [...found.values()];
}

/** The large constants whose relative noise carries over to the weight. */
function evenLeaves(model: Model, layer: PlacedNode, value: string): LeafUse[] {
  const leaves: LeafUse[] = [];
  const seen = new Set<Node>();
  const { scope, producer } = makerOf(layer.graph, value, []);
  const open: PlacedNode[] = producer === undefined ? [] : [{ graph: scope, node: producer }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { graph, node } = next;
    if (seen.has(node) || !EVEN.has(node.opType) || isStored(next)) continue;
    seen.add(node);
    for (const [index, input] of node.inputs.entries()) {
      // Dividing by a small inexact number can amplify noise without bound.
      const divides = index === 1 && isOp(node, 'Div');
      if (input === '' || divides || stepRoleOf(graph, node, index) !== undefined) continue;
      const made = makerOf(graph, input, []);
      if (made.producer !== undefined && made.held === undefined) {
        open.push({ graph: made.scope, node: made.producer });
        continue;
      }
      const found = traceBack(graph, input);
      const tensor = found?.held?.tensor;
      if (found?.held === undefined || tensor === undefined || isVariable(model, found.held)) continue;
      if (!isFloat(tensor.dtype) || tensor.dims.length < 2 || elementCount(tensor.dims) < MIN_ELEMENTS) continue;
      leaves.push({ ...found, held: found.held, graph, node, index, layer });
    }
  }
  return leaves;
}

/** Whether a node dequantizes integers or codes. */
function isStored({ graph, node }: PlacedNode): boolean {
  return isArithmetic(graph, node) || node.inputs.some((one) => sourceCodes(graph, one) !== undefined);
}
