import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { type Model, NO_OPSET } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import { constantName, dropUnused } from '../../layers/constant.ts';
import { isExcluded, notFloat, skipUse, type WeightUse, weightOf } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import { traceBack } from '../../layers/trace.ts';
import { checkShape } from '../../options/check.ts';
import { DEQUANTIZE_OPSET, PER_AXIS_OPSET } from '../../schemes/opset.ts';
import { DistinctScales } from '../../targets/scales.ts';
import { bringWeights } from '../constants/see.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass, PassReport, Watch } from '../pass.ts';
import { settleEinsums } from './einsum.ts';
import { Emitter } from './emit.ts';
import { Forms } from './forms.ts';
import { Ledger } from './ledger.ts';
import {
  lookedAt,
  QUANTIZABLE_OPS,
  QUANTIZE_SHAPE,
  type QuantizeOptions,
  type ResolvedOptions,
  resolveOptions,
} from './options.ts';
import { quantizeRecurrent, recurrentWeights } from './recurrent.ts';
import { settleReshapes } from './reshapes.ts';

export { QUANTIZABLE_OPS, QUANTIZE_DEFAULTS, type QuantizeOptions } from './options.ts';

/** Uses whose weights are looked at at a time: enough for every thread while one is thought about. */
const AHEAD = 16;
/** Gather tables smaller than this are look-ups of shapes and positions, not embeddings. */
const MIN_TABLE = 1024;

/**
 * Quantizes weights to 8 bits without data, as `torch.quantization.quantize_dynamic` does for Linear layers: weights
 * become integers in the file, activations are quantized when the model runs.
 *
 * ```
 * before  x ── MatMul(W) ── Add(b) ── y
 *
 * after   x ── DynamicQuantizeLinear ── DequantizeLinear ─┐
 *                  W_quantized ── DequantizeLinear(axis 1) ── MatMul ── Sum(b) ── y
 * ```
 *
 * ONNX Runtime fuses the lower graph to one integer kernel (DynamicQuantizeMatMul); `weightsOnly` leaves x as it is and
 * becomes MatMulNBits. Gemm is written as MatMul, its alpha and transB folded into the weight. Embedding tables become
 * `Gather(W_quantized) ── DequantizeLinear`. Conv stays float unless `weightsOnly`: then its weight is
 * `Cast(W_quantized) · W_scale`, which ONNX Runtime computes once, when it loads the model.
 *
 * int8: `q = clamp(roundHalfEven(w / scale), −127, 127)`, `scale = max|w| / 127` for each output channel.
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
  notes.push(...(await quantizeWeights(model, options, ledger, watch)));
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
  let uses = selectWeights(model, options, ledger);
  const dynamic = !options.weightsOnly && uses.some((use) => use.node.opType !== 'Gather');
  const needed = dynamic && options.format === 'qoperator' ? 11 : PER_AXIS_OPSET;
  if (uses.length > 0 && model.opset < needed) {
    const { raiseOpset } = await import('../opset/index.ts');
    const raised = await raiseOpset(model, PER_AXIS_OPSET);
    if (raised.raised) {
      notes.push(`opset raised from ${raised.from} to ${raised.to}, which 8-bit weights with a scale per channel need`);
      notes.push(...raised.notes);
      // Raising replaces nodes: the ones found before may be gone.
      uses = selectWeights(model, options, ledger);
    } else {
      notes.push(`${model.hasOpset ? `opset stays ${model.opset}: ` : ''}${raised.reason}`);
    }
  }
  const { settled, note } = withinOpset(model, options);
  if (note !== undefined && uses.length > 0) notes.push(note);
  const emitter = new Emitter();
  const distinct = options.unread ? new DistinctScales() : await DistinctScales.of(model);
  const forms = new Forms(emitter, settled, model.opset, distinct);
  const convs = model.opset < DEQUANTIZE_OPSET ? 0 : await rewrite(model, uses, forms, ledger, watch);
  const recurrent = recurrentWeights(model, options, ledger, (use) => refusal(model, use, options));
  await quantizeRecurrent(model, recurrent, options, emitter, ledger);
  if (model.opset < DEQUANTIZE_OPSET) {
    const detail = model.hasOpset ? `opset ${model.opset} has no DequantizeLinear` : NO_OPSET;
    for (const use of uses) ledger.skip(use.held, skipUse(use, 'opset_too_old', detail));
  }
  model.freeInitializers();
  if (convs > 0) notes.push(`${convs} of them of Conv: stored as integers, computed in float as fast as before`);
  return notes;
}

/** The best the model's opset allows, and a note where that is less than asked for. */
function withinOpset(model: Model, options: ResolvedOptions): { settled: ResolvedOptions; note?: string } {
  if (model.opset >= PER_AXIS_OPSET || model.opset < DEQUANTIZE_OPSET) return { settled: options };
  if (model.opset >= 11 && !options.weightsOnly) {
    if (options.format === 'qoperator') return { settled: options };
    return {
      settled: { ...options, format: 'qoperator' },
      note: `opset ${model.opset}: written with MatMulInteger instead of QDQ`,
    };
  }
  const note = `opset ${model.opset}: weights only, one scale a tensor, which is less exact; ONNX Runtime may not run it faster`;
  return { settled: { ...options, weightsOnly: true, perTensor: true, format: 'qdq' }, note };
}

/** The weights to quantize, in the order of the nodes; the ledger is told why not the others. */
export function selectWeights(model: Model, options: ResolvedOptions, ledger?: Ledger): WeightUse[] {
  const uses: WeightUse[] = [];
  const opTypes: readonly string[] = options.only ?? QUANTIZABLE_OPS;
  for (const { graph, node } of model.nodes()) {
    const use = weightOf(graph, node);
    if (use === undefined) continue;
    if ('reason' in use) {
      ledger?.other(graph, use);
      continue;
    }
    if (!opTypes.includes(node.opType)) continue;
    const { tensor } = use.held;
    // Gather also looks up shapes and positions: those are no weights.
    if (node.opType === 'Gather' && (!isFloat(tensor.dtype) || tensor.dims.length < 2)) continue;
    const no = refusal(model, use, options);
    if (no === undefined) uses.push(use);
    else ledger?.skip(use.held, no);
  }
  return uses;
}

/** Why a weight is not quantized, whatever its form would be. */
export function refusal(model: Model, use: WeightUse, options: ResolvedOptions): Skip | undefined {
  const { opType } = use.node;
  const elements = elementCount(use.held.tensor.dims);
  const no = notFloat(use);
  if (no !== undefined) return no;
  if (!options.opTypes.includes(opType) || isExcluded(use, options)) {
    return skipUse(use, 'excluded_by_user', 'left out by `opTypes`, `include` or `exclude`');
  }
  const minimum = Math.max(options.minElements, opType === 'Gather' ? MIN_TABLE : 1);
  if (elements < minimum) {
    return skipUse(use, 'below_min_elements', `it has ${elements} elements; ${minimum} are the least quantized`);
  }
  if (use.reshaped) {
    return skipUse(use, 'unsupported_op', 'its weight gets other dims on its way, which the file does not tell');
  }
  if (opType !== 'Gather' && isOfConstants(use)) {
    return skipUse(use, 'constant_result', 'it meets another constant: ONNX Runtime computes the product once');
  }
  if (use.graph.root.kind === 'function') return skipUse(use, 'in_function', 'inside a local function');
  if (model.trainingNames.has(constantName(use.held))) {
    return skipUse(use, 'used_in_training', 'training_info refers to it by name');
  }
  if (!options.weightsOnly && opType.startsWith('Conv')) {
    return skipUse(use, 'needs_calibration', `${opType} gains nothing without calibrated activations`);
  }
  return undefined;
}

/** Whether what the node multiplies by the weight is a constant too. */
function isOfConstants({ graph, node, index }: WeightUse): boolean {
  const other = node.inputs[index === 0 ? 1 : 0] ?? '';
  return traceBack(graph, other)?.held !== undefined;
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
