import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { type Model, NO_OPSET } from '../../ir/model.ts';
import { isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName, dropUnused } from '../../layers/constant.ts';
import { isExcluded, notFloat, skipUse, type WeightUse, weightOf } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import { traceBack } from '../../layers/trace.ts';
import { checkShape } from '../../options/check.ts';
import { ARITHMETIC_OPSET, PER_AXIS_OPSET } from '../../schemes/opset.ts';
import { DistinctScales } from '../../targets/scales.ts';
import { bringWeights } from '../constants/see.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass, PassReport, Watch } from '../pass.ts';
import { BiasCorrection } from './correct.ts';
import { einsumWeight, settleEinsums } from './einsum.ts';
import { Emitter } from './emit.ts';
import { Forms, tiedTables } from './forms.ts';
import { Ledger } from './ledger.ts';
import { isRotary, meetsLog, meetsProduct } from './meets.ts';
import {
  lookedAt,
  QUANTIZABLE_OPS,
  QUANTIZE_SHAPE,
  type QuantizeOptions,
  type ResolvedOptions,
  resolveOptions,
} from './options.ts';
import { isProduct, neededOpset, pays, rowsOf, withinOpset } from './pays.ts';
import { quantizeRecurrent, recurrentWeights } from './recurrent.ts';
import { settleReshapes } from './reshapes.ts';
import { floatBytes, isAmong, smallestWeights } from './smallest.ts';

export { QUANTIZABLE_OPS, QUANTIZE_DEFAULTS, type QuantizeOptions } from './options.ts';

/** Uses whose weights are looked at at a time: enough for every thread while one is thought about. */
const AHEAD = 16;
/** A smaller weight and its scales would take more bytes as integers, with the nodes that make them float. */
const LEAST_BYTES = 512;
/** What became of a Conv, for people, and what more there is where nobody asked for less. */
const STORED = 'stored as integers, computed in float as fast as before';
const CALIBRATE = '; `calibrate: DATA` lets them run on integers';
/** A table that meets no product, and is more than this part of the model, is what there is to compress. */
const LARGE_PART = 0.1;
/** Gather tables smaller than this are look-ups of shapes and positions, not embeddings. */
const MIN_TABLE = 1024;

/**
 * Quantizes weights to 8 bits without data: they become integers in the file. Activations of large products are
 * quantized when the model runs, as `torch.quantization.quantize_dynamic` does for Linear layers; all other weights are
 * stored, and made float when the model is loaded.
 *
 * ```
 * before  x ── MatMul(W) ── Add(b) ── y
 *
 * dynamic x ── DynamicQuantizeLinear ── DequantizeLinear ─┐
 *                  W_quantized ── DequantizeLinear(axis 1) ── MatMul ── Sum(b) ── y
 *
 * stored  x ───────────────────────────────────────────────────┐
 *                  W_quantized ── Cast ── Mul(scale) ── Reshape ── MatMul ── Add(b) ── y
 * ```
 *
 * ONNX Runtime fuses the lower graph to one integer kernel (DynamicQuantizeMatMul); `weightsOnly` leaves x as it is and
 * becomes MatMulNBits where it has few rows. Gemm is written as MatMul, its alpha and transB folded into the weight.
 * Embedding tables become `Gather(W_quantized) ── Cast ── Mul(scale)`. Weights of Conv, ConvTranspose, LSTM, GRU, RNN and of
 * products that gain nothing from integers are stored: `Cast(W_quantized) · scale`, which ONNX Runtime computes once,
 * when it loads the model. They have a scale for each output channel, or for blocks of 64, 32 or 16 neighbours, as few as keep 44 dB; the
 * Reshape is there for blocks alone.
 *
 * Where `minElements`, `include` and `opTypes` say nothing, weights that save nothing stay float: the smallest, which
 * together make 1 % of the model, a product before a Log, rotary tables, tables that meet no product.
 *
 * int8: `q = clamp(roundHalfEven(w / scale), −127, 127)`, `scale = max|w| / 127` for each output channel; scales of
 * stored weights are fitted to the least squared error.
 *
 * @throws CompressError `options` when options contradict each other
 * @see https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
 */
export function quantize(options: QuantizeOptions = {}): Pass {
  checkShape('quantize', options, QUANTIZE_SHAPE);
  const settled = resolveOptions(options);
  return { name: 'quantize', run: (model, watch) => run(model, settled, watch) };
}

/**
 * {@link quantize} as a plan: no weight is read, so that a model of any size takes milliseconds. The report is the
 * same, but that no weight is found to hold NaN, and the model has the size of the result; its scales mean nothing, and
 * it must not be written.
 */
export function planQuantize(options: QuantizeOptions = {}): Pass {
  const settled = { ...resolveOptions(options), unread: true };
  return { name: 'quantize', run: (model) => run(model, settled) };
}

async function run(model: Model, options: ResolvedOptions, watch?: Watch): Promise<PassReport> {
  const { notes, ...unpacked } = await unpackFirst(model);
  const ledger = new Ledger(model, options.minElements);
  const correction = new BiasCorrection(model, options.means);
  notes.push(...(await quantizeWeights(model, { ...options, correction }, ledger, watch)));
  if (correction.note !== undefined) notes.push(correction.note);
  return { pass: 'quantize', ...ledger.close(model), ...unpacked, notes };
}

/**
 * Quantizes the weights of the operators in `options.opTypes`, and tells the ledger what became of each.
 * @returns facts about the whole model
 */
export async function quantizeWeights(
  model: Model,
  options: ResolvedOptions,
  ledger: Ledger,
  watch?: Watch,
): Promise<string[]> {
  const opTypes = lookedAt(options);
  const notes = await bringWeights(model, opTypes, 'all');
  await settleReshapes(model, opTypes);
  if (opTypes.includes('MatMul')) settleEinsums(model);
  const settling = withSmallest(model, options);
  let uses = selectWeights(model, settling, ledger);
  let rows = await rowsOf(model, uses);
  const needed = neededOpset(uses, options, rows);
  if (uses.length > 0 && model.opset < needed) {
    const { raiseOpset } = await import('../opset/index.ts');
    const raised = await raiseOpset(model, PER_AXIS_OPSET);
    if (raised.raised) {
      notes.push(`opset raised from ${raised.from} to ${raised.to}, which 8-bit weights with a scale per channel need`);
      notes.push(...raised.notes);
      // Raising replaces nodes: the ones found before may be gone.
      uses = selectWeights(model, settling, ledger);
      rows = await rowsOf(model, uses);
    } else {
      notes.push(`${model.hasOpset ? `opset stays ${model.opset}: ` : ''}${raised.reason}`);
    }
  }
  const { settled, note } = withinOpset(model, options);
  if (note !== undefined && uses.some((use) => isProduct(use) && pays(use, options, rows))) notes.push(note);
  const emitter = new Emitter();
  const distinct = options.unread ? new DistinctScales() : await DistinctScales.of(model);
  const tied = model.opset >= PER_AXIS_OPSET ? tiedTables(uses, settled.dtype) : new Set<Tensor>();
  const forms = new Forms(emitter, settled, distinct, { tied, rows });
  const convs = model.opset < ARITHMETIC_OPSET ? 0 : await rewrite(model, uses, forms, ledger, watch);
  if (model.opset >= ARITHMETIC_OPSET) {
    const recurrent = recurrentWeights(model, options, (use) => refusal(model, use, settling), ledger);
    await quantizeRecurrent(model, recurrent, options, { emitter, weights: forms.weights }, ledger);
  }
  if (model.opset < ARITHMETIC_OPSET) {
    const detail = model.hasOpset ? `opset ${model.opset} has no Mul that spreads a scale` : NO_OPSET;
    for (const use of uses) ledger.skip(use.held, skipUse(use, 'opset_too_old', detail));
  }
  model.freeInitializers();
  if (convs > 0) notes.push(`${convs} of them of Conv: ${STORED}${options.weightsOnly ? '' : CALIBRATE}`);
  return notes;
}

/** The options with the weights that are left float because they are small, where nobody said which are meant. */
export function withSmallest(model: Model, options: ResolvedOptions): ResolvedOptions {
  if (!options.choosing || options.smallest !== undefined) return options;
  const { only: _, ...rest } = options;
  const floats = floatBytes(model);
  const all = { ...rest, floats };
  const uses = [...selectWeights(model, all), ...recurrentWeights(model, all, (use) => refusal(model, use, all))];
  return { ...options, floats, smallest: smallestWeights(floats, uses) };
}

/** The weights to quantize, in the order of the nodes; the ledger is told why not the others. */
export function selectWeights(model: Model, options: ResolvedOptions, ledger?: Ledger): WeightUse[] {
  const uses: WeightUse[] = [];
  const opTypes: readonly string[] = options.only ?? QUANTIZABLE_OPS;
  for (const { graph, node } of model.nodes()) {
    const use = weightOf(graph, node) ?? einsumWeight(graph, node);
    if (use === undefined) continue;
    if ('reason' in use) {
      ledger?.other(graph, use);
      continue;
    }
    if (!opTypes.includes(kindOf(node))) continue;
    const { tensor } = use.held;
    // Gather also looks up shapes and positions: those are no weights.
    if (node.opType === 'Gather' && (!isFloat(tensor.dtype) || tensor.dims.length < 2)) continue;
    const no = refusal(model, use, options);
    if (no === undefined) uses.push(use);
    else ledger?.skip(use.held, no);
  }
  return uses;
}

/** The operator of which a node is a kind: an Einsum multiplies as MatMul does. */
function kindOf({ opType }: Node): string {
  return opType === 'Einsum' ? 'MatMul' : opType;
}

/** Why a weight is not quantized, whatever its form would be. */
export function refusal(model: Model, use: WeightUse, options: ResolvedOptions): Skip | undefined {
  const { opType } = use.node;
  const elements = elementCount(use.held.tensor.dims);
  const no = notFloat(use);
  if (no !== undefined) return no;
  if (!options.opTypes.includes(kindOf(use.node)) || isExcluded(use, options)) {
    return skipUse(use, 'excluded_by_user', 'left out by `opTypes`, `include` or `exclude`');
  }
  if (options.choosing) {
    const why = needless(use, options);
    if (why !== undefined) return why;
  }
  if (options.smallest !== undefined && isAmong(options.smallest, use.held.tensor)) {
    return skipUse(use, 'among_smallest', 'it is one of the smallest weights, which together make 1 % of the model');
  }
  const minimum = Math.max(options.minElements, opType === 'Gather' ? MIN_TABLE : 1);
  if (elements < minimum) {
    return skipUse(use, 'below_min_elements', `it has ${elements} elements; ${minimum} are the least quantized`);
  }
  if (use.reshaped && opType === 'Gather') {
    return skipUse(use, 'unsupported_op', 'its weight gets other dims on its way, which the file does not tell');
  }
  if (opType !== 'Gather' && isOfConstants(use)) {
    return skipUse(use, 'constant_result', 'it meets another constant: ONNX Runtime computes the product once');
  }
  if (use.graph.root.kind === 'function') return skipUse(use, 'in_function', 'inside a local function');
  if (model.trainingNames.has(constantName(use.held))) {
    return skipUse(use, 'used_in_training', 'training_info refers to it by name');
  }
  return undefined;
}

/** Whether what the node multiplies by the weight is a constant too. */
function isOfConstants({ graph, node, index }: WeightUse): boolean {
  const other = node.inputs[index === 0 ? 1 : 0] ?? '';
  return traceBack(graph, other)?.held !== undefined;
}

/** Why a weight is better left float, where nobody asked for it. */
function needless(use: WeightUse, { floats = 0 }: ResolvedOptions): Skip | undefined {
  const { graph, node } = use;
  const { byteLength } = use.held.tensor;
  if (byteLength < LEAST_BYTES) {
    return skipUse(use, 'no_gain', `it has ${byteLength} bytes; the nodes that make it float would take more`);
  }
  if (isOp(node, 'Gather')) {
    if (isRotary(graph, node)) return skipUse(use, 'rotary', 'its rows turn queries and keys');
    if (byteLength > LARGE_PART * floats || meetsProduct(graph, node)) return undefined;
    return skipUse(use, 'no_product', 'its rows meet no product with a weight');
  }
  return isProduct(use) && meetsLog(graph, node)
    ? skipUse(use, 'before_log', 'a Log is behind its product')
    : undefined;
}

/** Rewrites every use, then drops the float weights nothing reads any more; how many of them are of Conv. */
async function rewrite(
  model: Model,
  uses: readonly WeightUse[],
  forms: Forms,
  ledger: Ledger,
  watch?: Watch,
): Promise<number> {
  const done = new Map<Graph, Map<string, WeightUse[]>>();
  let begun = 0;
  try {
    for (const [index, use] of uses.entries()) {
      // Whoever is free looks at the next weights while this one is thought about.
      for (; begun < Math.min(uses.length, index + AHEAD); begun++) forms.begin(uses[begun] as WeightUse);
      const result = await forms.apply(use);
      watch?.(index + 1, uses.length);
      if ('reason' in result) {
        ledger.skip(use.held, result);
        continue;
      }
      ledger.change(use.held, { node: use.node, ...result });
      const byName = done.get(use.held.graph) ?? new Map<string, WeightUse[]>();
      const name = constantName(use.held);
      done.set(use.held.graph, byName.set(name, [...(byName.get(name) ?? []), use]));
    }
  } finally {
    // After an error: what reads the file ends before somebody closes it.
    await forms.end();
  }
  let convs = 0;
  for (const users of [...done.values()].flatMap((one) => [...one.values()])) {
    const [{ held }] = users as [WeightUse];
    const input = held.graph.isInput(constantName(held));
    for (const use of users) for (const node of use.via) dropIfUnread(model, node);
    const dropped = dropUnused(held, model.trainingNames);
    ledger.settle(held, { bytes: dropped ? 0 : held.tensor.byteLength, input });
    if (users.some((use) => use.node.opType.includes('Conv'))) convs++;
  }
  return convs;
}

/** Removes an Identity, Cast or Transpose whose output nothing reads any more. */
function dropIfUnread(model: Model, node: Node): void {
  const graph = model.graphs().find((one) => one.producer(node.outputs[0] ?? '') === node);
  if (graph !== undefined && graph.uses(node.outputs[0] ?? '').length === 0) graph.removeNode(node);
}
