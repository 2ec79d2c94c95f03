import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { type Model, NO_OPSET } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import { dropUnused, heldName } from '../../layers/held.ts';
import { isExcluded, notFloat, skipUse, type WeightUse, weightUses } from '../../layers/select.ts';
import type { Change, Skip } from '../../layers/skip.ts';
import { checkShape } from '../../options/check.ts';
import { inliningNotes } from '../inline/index.ts';
import { inlineWeights } from '../inline/weights.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass, PassReport, Watch } from '../pass.ts';
import { settleEinsums } from './einsum.ts';
import { Emitter } from './emit.ts';
import { Forms } from './forms.ts';
import { QUANTIZABLE_OPS, QUANTIZE_SHAPE, type QuantizeOptions, type Settled, settle } from './options.ts';
import { quantizeRecurrent, recurrentWeights } from './recurrent.ts';
import { settleReshapes } from './reshapes.ts';
import { unsupportedWeights } from './rest.ts';
import { DistinctScales } from './scales.ts';

export { QUANTIZABLE_OPS, QUANTIZE_DEFAULTS, type QuantizeOptions } from './options.ts';

/** Version of the standard domain from which DequantizeLinear takes a scale per channel. */
const PER_AXIS_OPSET = 13;
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
  const settled = settle(options);
  return { name: 'quantize', run: (model, watch) => run(model, settled, watch) };
}

/**
 * {@link quantize} as a plan: no weight is read, so that a model of any size takes milliseconds. The report is the same,
 * but that no weight is found to hold NaN, and the model has the size of the result; its scales mean nothing, and it must
 * not be written.
 */
export function planQuantize(options: QuantizeOptions = {}): Pass {
  const settled = { ...settle(options), unread: true };
  return { name: 'quantize', run: (model) => run(model, settled) };
}

async function run(model: Model, options: Settled, watch?: Watch): Promise<PassReport> {
  const { notes, ...unpacked } = await unpackFirst(model);
  const inlined = inlineWeights(model, options.opTypes, 'all');
  notes.push(...inliningNotes(inlined));
  await settleReshapes(model, options.opTypes);
  if (options.opTypes.includes('MatMul')) settleEinsums(model);
  let selected = selectWeights(model, options);
  const dynamic = !options.weightsOnly && selected.uses.some((use) => use.node.opType !== 'Gather');
  const needed = dynamic && options.format === 'qoperator' ? 11 : PER_AXIS_OPSET;
  if (selected.uses.length > 0 && model.opset < needed) {
    const { raiseOpset } = await import('../opset/index.ts');
    const raised = await raiseOpset(model, PER_AXIS_OPSET);
    if (raised.raised) {
      notes.push(`opset raised from ${raised.from} to ${raised.to}, which 8-bit weights with a scale per channel need`);
      notes.push(...raised.notes);
      // Raising replaces nodes: the ones found before may be gone.
      selected = selectWeights(model, options);
    } else {
      notes.push(`${model.hasOpset ? `opset stays ${model.opset}: ` : ''}${raised.reason}`);
    }
  }
  const { settled, note } = withinOpset(model, options);
  if (note !== undefined && selected.uses.length > 0) notes.push(note);
  const skips = [...selected.skips];
  const emitter = new Emitter();
  const forms = new Forms(
    emitter,
    settled,
    model.opset,
    options.unread ? new DistinctScales() : await DistinctScales.of(model),
  );
  const changes = model.opset < 10 ? [] : await rewrite(model, selected.uses, forms, skips, watch);
  const recurrent = recurrentWeights(model, options, (use) => refusal(model, use, options));
  skips.push(...recurrent.skips);
  changes.push(...(await quantizeRecurrent(model, recurrent.uses, options, emitter, skips)));
  if (model.opset < 10) {
    const detail = model.hasOpset ? `opset ${model.opset} has no DequantizeLinear` : NO_OPSET;
    skips.push(...selected.uses.map((use) => skipUse(use, 'opset_too_old', detail)));
  }
  model.freeInitializers();
  const convs = changes.filter((one) => one.opType.includes('Conv')).length;
  if (convs > 0) notes.push(`${convs} of them of Conv: stored as integers, computed in float as fast as before`);
  const seen = new Set([...changes, ...skips].map((one) => one.weight));
  skips.push(...unsupportedWeights(model, seen, options.minElements));
  return { pass: 'quantize', changes, skips, ...unpacked, notes };
}

/** The best the model's opset allows, and a note where that is less than asked for. */
function withinOpset(model: Model, options: Settled): { settled: Settled; note?: string } {
  if (model.opset >= PER_AXIS_OPSET || model.opset < 10) return { settled: options };
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

/** The weights to quantize, in the order of the nodes, and what is left with its reason. */
export function selectWeights(model: Model, options: Settled): { uses: WeightUse[]; skips: Skip[] } {
  const found = weightUses(model, QUANTIZABLE_OPS);
  const uses: WeightUse[] = [];
  const { skips } = found;
  for (const use of found.uses) {
    const { tensor } = use.held;
    // Gather also looks up shapes and positions: those are no weights.
    if (use.node.opType === 'Gather' && (!isFloat(tensor.dtype) || tensor.dims.length < 2)) continue;
    const no = refusal(model, use, options);
    if (no !== undefined) skips.push(no);
    else uses.push(use);
  }
  return { uses, skips };
}

/** Why a weight is not quantized, whatever its form would be. */
export function refusal(model: Model, use: WeightUse, options: Settled): Skip | undefined {
  const { opType } = use.node;
  const elements = elementCount(use.held.tensor.dims);
  const no = notFloat(use);
  if (no !== undefined) return no;
  if (!options.opTypes.includes(opType) || isExcluded(use, options)) {
    return skipUse(use, 'excluded_by_user', 'left out by --op-types, --include or --exclude');
  }
  const minimum = Math.max(options.minElements, opType === 'Gather' ? MIN_TABLE : 1);
  if (elements < minimum) {
    return skipUse(use, 'below_min_elements', `it has ${elements} elements; ${minimum} are the least quantized`);
  }
  if (use.reshaped) {
    return skipUse(use, 'unsupported_op', 'its weight gets other dims on its way, which the file does not tell');
  }
  if (use.graph.root.kind === 'function') return skipUse(use, 'in_function', 'inside a local function');
  if (model.trainingNames.has(heldName(use.held))) {
    return skipUse(use, 'used_in_training', 'training_info refers to it by name');
  }
  if (!options.weightsOnly && opType.startsWith('Conv')) {
    return skipUse(use, 'needs_calibration', `${opType} gains nothing without calibrated activations`);
  }
  return undefined;
}

/** Rewrites every use, then drops the float weights nothing reads any more. */
async function rewrite(
  model: Model,
  uses: readonly WeightUse[],
  forms: Forms,
  skips: Skip[],
  watch?: Watch,
): Promise<Change[]> {
  const done = new Map<string, { uses: WeightUse[]; after: number; form: string }>();
  const keys = new Map<Graph, number>();
  const keyOf = ({ held }: WeightUse): string => {
    if (!keys.has(held.graph)) keys.set(held.graph, keys.size);
    return `${keys.get(held.graph)} ${heldName(held)}`;
  };
  let begun = 0;
  try {
    for (const [index, use] of uses.entries()) {
      // Whoever is free looks at the next weights while this one is thought about.
      for (; begun < Math.min(uses.length, index + AHEAD); begun++) forms.begin(uses[begun] as WeightUse);
      const result = await forms.apply(use);
      watch?.(index + 1, uses.length);
      if ('reason' in result) {
        skips.push(result);
        continue;
      }
      const entry = done.get(keyOf(use)) ?? { uses: [], after: 0, form: result.form };
      entry.uses.push(use);
      entry.after += result.added;
      if (!entry.form.includes(result.form)) entry.form += `, ${result.form}`;
      done.set(keyOf(use), entry);
    }
  } finally {
    // After an error: what reads the file ends before somebody closes it.
    await forms.end();
  }
  return [...done.values()].map(({ uses: users, after, form }): Change => {
    const [{ held }] = users as [WeightUse];
    const input = held.graph.isOverridable(heldName(held));
    for (const use of users) for (const node of use.via) dropIfUnread(model, node);
    const dropped = dropUnused(held, model.trainingNames);
    const { tensor } = held;
    return {
      weight: heldName(held),
      nodes: users.map((use) => use.node.name || (use.node.outputs[0] ?? '')),
      opType: [...new Set(users.map((use) => use.node.opType))].join(', '),
      dtype: tensor.dtype,
      dims: tensor.dims,
      elements: elementCount(tensor.dims),
      before: tensor.byteLength,
      after: after + (dropped ? 0 : tensor.byteLength),
      form: dropped ? `${form}${input ? '; no longer a graph input' : ''}` : `${form}; the float weight stays too`,
    };
  });
}

/** Removes an Identity, Cast or Transpose whose output nothing reads any more. */
function dropIfUnread(model: Model, node: Node): void {
  const graph = model.graphs().find((one) => one.producer(node.outputs[0] ?? '') === node);
  if (graph !== undefined && graph.uses(node.outputs[0] ?? '').length === 0) graph.removeNode(node);
}
