import { CompressError } from '../errors.ts';
import { elementCount, isFloat } from '../ir/dtype.ts';
import type { Constant, Graph } from '../ir/graph.ts';
import { lookup } from '../ir/lookup.ts';
import type { Model, PlacedNode } from '../ir/model.ts';
import { isOp, type Node } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';
import { integersAt, weightReadAs } from '../schemes/chains.ts';
import { codeInputs } from '../schemes/contrib.ts';
import { integerWeightOf, isIntegerOp } from '../schemes/operators.ts';
import { isArithmetic } from '../schemes/recognize.ts';
import { sourceCodes } from '../schemes/unpacked.ts';
import { constantName, namesOf } from './constant.ts';
import { matches } from './pattern.ts';
import type { Skip, SkipReason } from './skip.ts';
import { MAX_VIA, PASSED, type Path, traceBack } from './trace.ts';

/** Which weights a pass may touch. Expressions are matched against the node's name and the weight's. */
export interface Selection {
  readonly opTypes?: readonly string[];
  readonly include?: readonly RegExp[];
  readonly exclude?: readonly RegExp[];
}

/** A weight as one node uses it. */
export interface WeightUse extends Path {
  readonly graph: Graph;
  readonly node: Node;
  /** Which input of the node the weight is. */
  readonly index: number;
  readonly held: Constant;
  /** The layer whose weight the node makes of it, together with other constants. */
  readonly layer?: PlacedNode;
}

/** Operators with weights, and the inputs that may be the weight, the usual one first. */
export const WEIGHT_INPUTS: Readonly<Record<string, readonly number[]>> = {
  MatMul: [1, 0],
  Gemm: [1, 0],
  Conv: [1],
  ConvTranspose: [1],
  Gather: [0],
};

/**
 * Recurrent operators, and their two weights: W [directions, gates·hidden, input], R [directions, gates·hidden,
 * hidden].
 */
export const RECURRENT_INPUTS: Readonly<Record<string, readonly number[]>> = { LSTM: [1, 2], GRU: [1, 2], RNN: [1, 2] };

/** The inputs of a node that may be its weights. */
export function weightInputs(node: Node): readonly number[] {
  if (!isOp(node, node.opType)) return [];
  return lookup(WEIGHT_INPUTS, node.opType) ?? lookup(RECURRENT_INPUTS, node.opType) ?? [];
}

/**
 * Finds the weight of a node, through the nodes between that {@link traceBack} follows.
 * @returns undefined for an operator without weights; a skip if its weight is not accessible
 */
export function weightOf(graph: Graph, node: Node): WeightUse | Skip | undefined {
  if (isIntegerOp(node)) return integerWeight(graph, node);
  const indices = isOp(node, node.opType) ? lookup(WEIGHT_INPUTS, node.opType) : undefined;
  if (indices === undefined) return undefined;
  for (const index of indices) {
    const found = traceBack(graph, node.inputs[index] ?? '');
    if (found?.held !== undefined) return { ...found, held: found.held, graph, node, index };
  }
  // The data of a Gather need not be a weight.
  const find = node.opType === 'Gather' ? integerSkip : noWeight;
  return find(graph, node, node.inputs[indices[0] as number] ?? '');
}

/** Skips for the further integer weights of an operator with several, such as QMoE. */
export function otherWeights(graph: Graph, node: Node): Skip[] {
  const [, ...others] = codeInputs(node);
  return others.flatMap((index) => integerWeight(graph, node, node.inputs[index]) ?? []);
}

/** A skip for the weight of an operator on integers, unless both factors are activations. */
function integerWeight(graph: Graph, node: Node, value = integerWeightOf(node) ?? ''): Skip | undefined {
  const held = traceBack(graph, value)?.held;
  if (held === undefined) return unpackedSkip(graph, node, value);
  const weight = weightReadAs(graph, node, node.inputs.indexOf(value));
  if (weight === undefined) {
    return skipHeld(node, held, 'already_quantized', `${node.opType} already runs on integers`);
  }
  const detail = `its weight is already ${weight.scheme.name}, for ${node.opType}`;
  const size = { elements: elementCount(weight.dims), bytes: held.tensor.byteLength };
  return skip(node, constantName(held), size, 'already_quantized', detail);
}

/** A skip for codes of a few bits that are unpacked when the model is loaded. */
function unpackedSkip(graph: Graph, node: Node, value: string): Skip | undefined {
  const codes = sourceCodes(graph, value);
  if (codes === undefined) return undefined;
  const { held, bits } = codes;
  const bytes = held.tensor.byteLength;
  const detail = `its weight is stored as ${bits}-bit codes, unpacked when the model is loaded`;
  return skip(node, constantName(held), { elements: (bytes * 8) / bits, bytes }, 'already_quantized', detail);
}

/** A skip for a value that is dequantized from integers when the model is loaded or runs. */
function integerSkip(graph: Graph, node: Node, given: string): Skip | undefined {
  const { scope, name, producer } = makerOf(graph, given, PASSED);
  if (producer !== undefined && isOp(producer, 'DequantizeLinear')) {
    const [integers = ''] = producer.inputs;
    const source = makerOf(scope, integers, [...PASSED, 'Slice']);
    if (source.held !== undefined) {
      const weight = integersAt(scope, producer, 0)?.weight;
      const from = 'a DequantizeLinear';
      const detail = `its weight is the output of ${weight === undefined ? from : `${from} of ${weight.scheme.name}`}`;
      return skip(node, given, sizeOf(source.held), 'already_quantized', detail);
    }
    const quantize = source.producer;
    const float = quantize !== undefined && isOp(quantize, 'QuantizeLinear') ? quantize.inputs[0] : undefined;
    const held = float === undefined ? undefined : traceBack(source.scope, float)?.held;
    return held && skipHeld(node, held, 'already_quantized', 'QuantizeLinear and DequantizeLinear follow it');
  }
  const unpacked = producer === undefined ? undefined : unpackedSkip(scope, node, name);
  if (unpacked !== undefined) return unpacked;
  if (producer !== undefined && isArithmetic(scope, producer)) {
    return skip(node, given, NOTHING, 'already_quantized', 'its weight is stored as integers');
  }
  return undefined;
}

function noWeight(graph: Graph, node: Node, given: string): Skip | undefined {
  const integers = integerSkip(graph, node, given);
  if (integers !== undefined) return integers;
  const { scope, name } = makerOf(graph, given, PASSED);
  if (name !== given) return undefined;
  if (scope.sparseInitializers.some((one) => one.name === name)) {
    return skip(node, name, NOTHING, 'sparse', 'its weight is stored as a sparse tensor');
  }
  if (node.opType !== 'MatMul' && scope.isInput(name)) {
    return skip(node, name, NOTHING, 'graph_input', 'its weight is a graph input without a value');
  }
  // Two activations are multiplied: there is no weight.
  return undefined;
}

/** The node or constant behind a value, looking through operators that only pass it on. */
export function makerOf(
  graph: Graph,
  value: string,
  through: readonly string[],
): { scope: Graph; name: string; producer: Node | undefined; held: Constant | undefined } {
  let [scope, name] = [graph, value];
  for (let step = 0; ; step++) {
    while (scope.parent !== undefined && !scope.defines(name)) scope = scope.parent;
    const held = scope.constant(name);
    const producer = scope.producer(name);
    const on = held === undefined && producer !== undefined && through.some((op) => isOp(producer, op));
    if (!on || step >= MAX_VIA) return { scope, name, producer, held };
    name = producer.inputs[0] ?? '';
  }
}

/** Every weight use of the model by operators in `opTypes`, and skips for inaccessible weights. */
export function weightUses(model: Model, opTypes: readonly string[]): { uses: WeightUse[]; skips: Skip[] } {
  const uses: WeightUse[] = [];
  const skips: Skip[] = [];
  const wanted = new Set(opTypes);
  const reportedIn = new Map<Graph, Set<string>>();
  for (const { graph, node } of model.nodes()) {
    const found = weightOf(graph, node);
    if (found === undefined) continue;
    if ('reason' in found)
      skips.push(...[found, ...otherWeights(graph, node)].filter((one) => isNew(reportedIn, graph, one)));
    else if (wanted.has(node.opType)) uses.push(found);
  }
  return { uses, skips };
}

/** Whether this weight was not reported yet with the same reason. */
function isNew(reportedIn: Map<Graph, Set<string>>, graph: Graph, { weight, detail }: Skip): boolean {
  let scope = graph;
  while (scope.parent !== undefined && !scope.defines(weight)) scope = scope.parent;
  const own = reportedIn.get(scope) ?? new Set();
  reportedIn.set(scope, own);
  const key = `${weight}\n${detail}`;
  return !own.has(key) && own.add(key).size > 0;
}

/** Uses by the tensor they read, in their order. */
export function usesByTensor(uses: readonly WeightUse[]): Map<Tensor, WeightUse[]> {
  const byTensor = new Map<Tensor, WeightUse[]>();
  for (const use of uses) byTensor.set(use.held.tensor, [...(byTensor.get(use.held.tensor) ?? []), use]);
  return byTensor;
}

/** Whether the user's expressions leave this use out. */
export function isExcluded(use: WeightUse, selection: Selection): boolean {
  const layer = use.layer === undefined ? [] : [use.layer.node.name];
  const names = [use.node.name, ...layer, ...namesOf(use.held), use.node.inputs[use.index] ?? ''];
  const isNamed = (list: readonly RegExp[]): boolean => list.some((one) => matches(one, names));
  if (selection.include !== undefined && selection.include.length > 0 && !isNamed(selection.include)) return true;
  return isNamed(selection.exclude ?? []);
}

/** A skip for the weight of a use. */
export function skipUse(use: WeightUse, reason: SkipReason, detail: string): Skip {
  return skipHeld(use.node, use.held, reason, detail);
}

function skipHeld(node: Node, held: Constant, reason: SkipReason, detail: string): Skip {
  return skip(node, constantName(held), sizeOf(held), reason, detail);
}

/** A skip if the weight's type is not one that float passes support. */
export function notFloat(use: WeightUse): Skip | undefined {
  const { dtype } = use.held.tensor;
  return isFloat(dtype) ? undefined : skipUse(use, 'not_float', `its weight is ${dtype}`);
}

type Size = Pick<Skip, 'elements' | 'bytes'>;

/** The size of anything that is not a tensor. */
const NOTHING: Size = { elements: 0, bytes: 0 };

/** The size of a skipped weight. */
export function sizeOf({ tensor }: Pick<Constant, 'tensor'>): Size {
  return { elements: elementCount(tensor.dims), bytes: tensor.byteLength };
}

function skip(node: Node, weight: string, size: Size, reason: SkipReason, detail: string): Skip {
  return {
    weight,
    node: node.name === '' ? (node.outputs[0] ?? '') : node.name,
    opType: node.opType,
    ...size,
    reason,
    detail,
  };
}

/**
 * Rejects operator names that a pass does not support.
 * @throws CompressError `options`
 */
export function checkOpTypes(opTypes: readonly string[], known: readonly string[]): void {
  const unknown = opTypes.find((one) => !known.includes(one));
  if (unknown === undefined) return;
  throw new CompressError('options', 'opTypes', `'${unknown}' is not an operator with supported weights`, {
    hint: `Choose from ${known.join(', ')}.`,
  });
}
