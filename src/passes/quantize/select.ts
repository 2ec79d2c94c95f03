import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { constantName } from '../../layers/constant.ts';
import { isExcluded, notFloat, otherWeights, skipUse, type WeightUse, weightOf } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import { traceBack } from '../../layers/trace.ts';
import { isRotary } from '../rotary.ts';
import { floatTensors, isAmong, smallestOf } from '../smallest.ts';
import { einsumWeight } from './einsum.ts';
import { belowFloor, holdsFloor } from './floor.ts';
import type { Ledger } from './ledger.ts';
import { meetsLog, meetsProduct } from './meets.ts';
import { QUANTIZABLE_OPS, type ResolvedOptions } from './options.ts';
import { isConv, isProduct } from './pays.ts';
import { recurrentWeights } from './recurrent.ts';

/** The share of the smallest weights, together, in all floats of the model. */
const SMALLEST = 0.01;
/** With its scales and nodes, a smaller weight would take more bytes as integers. */
const LEAST_BYTES = 512;
/** A table that reaches no product is quantized if it is more than this share of the model. */
const LARGE_PART = 0.1;
/** Gather tables smaller than this are look-ups of shapes and positions, not embeddings. */
const MIN_TABLE = 1024;

/** The options with the size of the model, unless the user selected weights. */
export function withFloats(model: Model, options: ResolvedOptions): ResolvedOptions {
  if (!options.choosing || options.floats !== undefined) return options;
  return { ...options, floats: [...floatTensors(model)].reduce((sum, one) => sum + one.byteLength, 0) };
}

/** The options with the weights that stay float because they are small. */
export function withSmallest(model: Model, options: ResolvedOptions): ResolvedOptions {
  if (!options.choosing || options.smallest !== undefined) return options;
  const { only: _, ...all } = withFloats(model, options);
  const { floats = 0 } = all;
  const uses = [...selectWeights(model, all), ...recurrentWeights(model, all, (use) => refusal(model, use, all))];
  const tensors = uses.map((use) => use.held.tensor);
  return { ...options, floats, smallest: smallestOf(SMALLEST * floats, tensors) };
}

/**
 * The weights to quantize, in node order; the reasons for the others go to the ledger.
 * @param except - nodes that compute on constants only: their inputs are not weights
 */
export function selectWeights(
  model: Model,
  options: ResolvedOptions,
  ledger?: Ledger,
  except?: ReadonlySet<Node>,
): WeightUse[] {
  const uses: WeightUse[] = [];
  const opTypes: readonly string[] = options.only ?? QUANTIZABLE_OPS;
  for (const { graph, node } of model.nodes()) {
    const use = except?.has(node) ? undefined : (weightOf(graph, node) ?? einsumWeight(graph, node));
    if (use === undefined) continue;
    if ('reason' in use) {
      for (const one of [use, ...otherWeights(graph, node)]) ledger?.other(graph, one);
      continue;
    }
    if (!opTypes.includes(kindOf(node))) continue;
    const { tensor } = use.held;
    if (options.aside?.has(tensor)) continue;
    // Gather also looks up shapes and positions: those are not weights.
    if (node.opType === 'Gather' && (!isFloat(tensor.dtype) || tensor.dims.length < 2)) continue;
    const no = refusal(model, use, options);
    if (no === undefined) uses.push(use);
    else ledger?.skip(use.held, no);
  }
  return uses;
}

/** Records in a ledger the weights that stay float before a Log, with their measured values. */
export function skipBeforeLog(model: Model, options: ResolvedOptions, ledger: Ledger): void {
  for (const { graph, node } of model.nodes()) {
    const use = weightOf(graph, node);
    if (use === undefined || 'reason' in use) continue;
    const no = refusal(model, use, options);
    if (no?.reason === 'before_log') ledger.skip(use.held, no);
  }
}

/** The operator by which a node is selected: an Einsum counts as MatMul. */
function kindOf({ opType }: Node): string {
  return opType === 'Einsum' ? 'MatMul' : opType;
}

/** Why a weight is not quantized, whatever its form would be. */
export function refusal(model: Model, use: WeightUse, options: ResolvedOptions): Skip | undefined {
  const { opType } = use.layer?.node ?? use.node;
  const elements = elementCount(use.held.tensor.dims);
  const no = notFloat(use);
  if (no !== undefined) return no;
  if (!options.opTypes.includes(kindOf(use.layer?.node ?? use.node)) || isExcluded(use, options)) {
    return skipUse(use, 'excluded_by_user', 'excluded by `opTypes`, `include` or `exclude`');
  }
  if (options.choosing) {
    const why = needless(use, options);
    if (why !== undefined) return why;
  }
  if (options.smallest !== undefined && isAmong(options.smallest, use.held.tensor)) {
    return skipUse(use, 'among_smallest', 'it is one of the smallest weights, together 1 % of the model');
  }
  const minimum = Math.max(options.minElements, opType === 'Gather' ? MIN_TABLE : 1);
  if (elements < minimum) {
    return skipUse(use, 'below_min_elements', `it has ${elements} elements; the minimum is ${minimum}`);
  }
  if (use.reshaped && opType === 'Gather') {
    return skipUse(use, 'unsupported_op', 'its weight is reshaped to dims that the file does not state');
  }
  if (opType !== 'Gather' && use.layer === undefined && isOfConstants(use)) {
    return skipUse(use, 'constant_result', 'it is multiplied by a constant, so ONNX Runtime computes the product once');
  }
  if (use.graph.root.kind === 'function') return skipUse(use, 'in_function', 'inside a local function');
  if (model.trainingNames.has(constantName(use.held))) {
    return skipUse(use, 'used_in_training', 'training_info refers to it by name');
  }
  return undefined;
}

/** Whether the other factor of the node is a constant too. */
function isOfConstants({ graph, node, index }: WeightUse): boolean {
  const other = node.inputs[index === 0 ? 1 : 0] ?? '';
  return traceBack(graph, other)?.held !== undefined;
}

/** Why a weight should stay float, unless the user selected it. */
function needless(use: WeightUse, { floats = 0, floor, trying }: ResolvedOptions): Skip | undefined {
  const { graph, node } = use.layer ?? use;
  const { byteLength } = use.held.tensor;
  if (byteLength < LEAST_BYTES) {
    return skipUse(use, 'no_gain', `it has ${byteLength} bytes; the nodes to dequantize it would take more`);
  }
  if (isOp(node, 'Gather')) {
    if (isRotary(graph, node)) return skipUse(use, 'rotary', 'its rows rotate queries and keys');
    if (byteLength > LARGE_PART * floats || meetsProduct(graph, node)) return undefined;
    return skipUse(use, 'no_product', 'its rows enter no product with a weight');
  }
  if (trying || !(use.layer !== undefined || isProduct(use) || isConv(use)) || !meetsLog(graph, node)) return undefined;
  const fact = belowFloor(use, 'stored', floor);
  // A matrix stays float unless data shows that it need not, a Conv only if data shows that it has to.
  if (isConv(use) ? fact === undefined : holdsFloor(use, 'stored', floor)) return undefined;
  return skipUse(use, 'before_log', `a Log follows its product${fact === undefined ? '' : `: ${fact}`}`);
}
